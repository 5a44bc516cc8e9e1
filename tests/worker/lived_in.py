"""Topologies of the tests that run the command itself, which finds them by `APP_TOPOLOGY=tests.worker.lived_in:…`."""

from collections.abc import Mapping
from pathlib import Path

from app.streams import Builder, Materialized, Tumbling, seconds
from app.streams.serdes import int64, utf8

STORE = "counts"


def counting(builder: Builder, topic: str) -> None:
    """<topic> counted by key into <topic>-out, and in windows that nobody reads: two stores of one task."""
    grouped = builder.stream(topic, key=utf8, value=utf8, name="words").group_by_key()
    grouped.windowed_by(Tumbling(seconds(60))).count(Materialized("windows"))
    grouped.count(Materialized(STORE)).to_stream().to(f"{topic}-out", key=utf8, value=int64)


def environment(server: str, application: str, topic: str, state_dir: Path, **more: str) -> Mapping[str, str]:
    """Of a process that plays the streams role alone."""
    return {
        "APP_KAFKA__BOOTSTRAP_SERVERS": server,
        "APP_KAFKA__TOPIC": topic,
        "APP_ROLES": "streams",
        "APP_TOPOLOGY": "tests.worker.lived_in:counting",
        "APP_STREAMS__APPLICATION_ID": application,
        "APP_STREAMS__SESSION_TIMEOUT_MS": "6000",
        "APP_STREAMS__STATE_DIR": str(state_dir),
        **more,
    }
