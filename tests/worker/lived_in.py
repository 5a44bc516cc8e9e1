"""Topologies of the tests that run the command itself, which finds them by `APP_TOPOLOGY=tests.worker.lived_in:…`."""

from pathlib import Path

from app.streams import Builder, Materialized, Tumbling, seconds
from app.streams.serdes import int64, utf8

STORE = "counts"


def counting(builder: Builder, topic: str) -> None:
    """<topic> counted by key into <topic>-out, and in windows that nobody reads: two stores of one task."""
    grouped = builder.stream(topic, key=utf8, value=utf8, name="words").group_by_key()
    grouped.windowed_by(Tumbling(seconds(60))).count(Materialized("windows"))
    grouped.count(Materialized(STORE)).to_stream().to(f"{topic}-out", key=utf8, value=int64)


def environment(server: str, application: str, topic: str, state_dir: Path, **more: str) -> dict[str, str]:
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


def failing(builder: Builder, topic: str) -> None:
    """Numbers that are counted, and grown to texts of that length; of a negative one no text can be made."""
    numbers = builder.stream(topic, key=utf8, value=int64, name="numbers")
    numbers.group_by_key().count(Materialized(STORE)).to_stream().to(f"{topic}-out", key=utf8, value=int64)
    numbers.map_values(lambda _key, number: grown(number), name="grow").to(f"{topic}-grown", key=utf8, value=utf8)


def grown(number: int) -> str:
    if number < 0:
        raise ValueError("a length below zero")
    return "x" * number


def unknown_topic(builder: Builder, topic: str) -> None:
    """Goes where each record says."""
    builder.stream(topic, key=utf8, value=utf8, name="words").to(
        lambda _key, word, _origin: topic.removesuffix("in") + word, key=utf8, value=utf8
    )


def missing_topic(builder: Builder, topic: str) -> None:
    """Reads one that nobody has made."""
    builder.stream(f"{topic}-nowhere", key=utf8, value=utf8, name="nowhere").to(f"{topic}-out", key=utf8, value=utf8)
