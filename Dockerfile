# syntax=docker/dockerfile:1
# Pin a digest here for builds that repeat bit for bit: python:3.13-slim-trixie@sha256:…
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS build
# The service alone: no embedded Kafka, no Java, and no pip in what is copied on.
COPY requirements/run.txt /build/
RUN --mount=type=cache,target=/root/.cache/pip \
    python -m venv --without-pip /opt/venv \
    && pip --python /opt/venv/bin/python install --no-input --disable-pip-version-check --root-user-action=ignore \
        --require-hashes --requirement /build/run.txt
COPY app /srv/app
# The root may be read-only at run time. Unchecked: whoever changes the sources builds the image again.
RUN python -m compileall -q -j 0 --invalidation-mode unchecked-hash /srv/app

FROM ${PYTHON_IMAGE}
LABEL org.opencontainers.image.title="kafka-demo" \
      org.opencontainers.image.description="Producers, a consumer and stream processing on Apache Kafka in one asyncio process" \
      org.opencontainers.image.licenses="Apache-2.0"
# 0.0.0.0, for loopback inside a container is reached by nobody; who publishes the port decides who may.
ENV PATH=/opt/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONFAULTHANDLER=1 \
    APP_HTTP__HOST=0.0.0.0 \
    APP_STREAMS__STATE_DIR=/state
COPY --from=build /opt/venv /opt/venv
# A module of your own for APP_TOPOLOGY goes beside app/.
WORKDIR /srv
COPY --from=build /srv/app app
# Tables on disk: each container has a volume of its own, writable where the root is not.
RUN install -d -m 0700 -o 10001 -g 10001 /state
VOLUME /state
# Numeric, so that Kubernetes' runAsNonRoot can tell; everything above belongs to root and stays as it is.
USER 10001:10001
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=3s --start-period=60s CMD ["python", "-m", "app", "health"]
ENTRYPOINT ["python", "-m", "app"]
