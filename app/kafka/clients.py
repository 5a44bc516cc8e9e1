"""KafkaSettings → the options of aiokafka's clients, every one of them said: its defaults are for other programs."""

import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from app.errors import ConfigError
from app.kafka.faults import CAFILE, CERTFILE
from app.kafka.tokens import token_source
from app.settings.model import KafkaSettings

METADATA_MAX_AGE_MS = 30_000  # new partitions and moved leaders are seen within this
RETRY_BACKOFF_MS = 100
CONNECTIONS_MAX_IDLE_MS = 540_000  # below the ten minutes of a broker, so that it is we who close


@dataclass(frozen=True, slots=True)
class Target:
    """A Kafka to speak to: what was set, and the options that every client shares."""

    settings: KafkaSettings
    servers: tuple[str, ...]
    options: Mapping[str, Any]

    @property
    def ssl_context(self) -> ssl.SSLContext | None:
        context: ssl.SSLContext | None = self.options["ssl_context"]
        return context


def client_options(settings: KafkaSettings, servers: Sequence[str], token_file: Path | None = None) -> dict[str, Any]:
    """What AIOKafkaProducer, AIOKafkaConsumer and AIOKafkaAdminClient have in common.

    `token_file` is read again at each login with OAUTHBEARER. Raises ConfigError.
    """
    return dict(target(settings, tuple(servers), token_file).options)


@lru_cache(maxsize=16)
def target(settings: KafkaSettings, servers: tuple[str, ...], token_file: Path | None = None) -> Target:
    """One for all connections: they share a token and the parsed certificates. Raises ConfigError."""
    options: dict[str, Any] = {
        "bootstrap_servers": list(servers),
        "client_id": settings.client_id,
        "request_timeout_ms": settings.request_timeout_ms,
        "metadata_max_age_ms": METADATA_MAX_AGE_MS,
        "retry_backoff_ms": RETRY_BACKOFF_MS,
        "connections_max_idle_ms": CONNECTIONS_MAX_IDLE_MS,
        "security_protocol": settings.security_protocol,
        "ssl_context": ssl_context(settings) if settings.security_protocol.endswith("SSL") else None,
    }
    if settings.security_protocol.startswith("SASL"):
        bearer = settings.sasl_mechanism == "OAUTHBEARER"
        options |= {
            "sasl_mechanism": settings.sasl_mechanism,
            "sasl_plain_username": settings.sasl_username,
            "sasl_plain_password": settings.sasl_password.get_secret_value() if settings.sasl_password else None,
            "sasl_oauth_token_provider": token_source(settings, token_file) if bearer else None,
        }
    return Target(settings, servers, options)


def ssl_context(settings: KafkaSettings) -> ssl.SSLContext:
    """Verifies the broker's certificate and host name, always; TLS 1.2 or later. Raises ConfigError."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = True
    context.verify_mode = ssl.CERT_REQUIRED
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.ssl_cafile is None:
        context.load_default_certs()
    else:
        try:
            context.load_verify_locations(settings.ssl_cafile)
        except OSError as error:  # ssl.SSLError is one
            raise ConfigError(f"{CAFILE}: {settings.ssl_cafile} cannot be used: {_reason(error)}") from error
    if settings.ssl_certfile is not None:
        password = settings.ssl_keypassword.get_secret_value() if settings.ssl_keypassword else ""
        try:
            # A password is always given: without one OpenSSL asks for it on the terminal.
            context.load_cert_chain(settings.ssl_certfile, settings.ssl_keyfile, lambda: password)
        except OSError as error:
            raise ConfigError(f"{CERTFILE}: {settings.ssl_certfile} cannot be used: {_reason(error)}") from error
    return context


def _reason(error: OSError) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "not PEM").lower().replace("_", " ")
    return error.strerror or type(error).__name__
