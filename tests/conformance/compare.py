"""One scenario, three replays (Mode): the first must equal Java's rows, the others the first in all that matters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from app.streams.stores.specs import SessionSpec, SuppressSpec, WindowSpec
from app.streams.testing.driver import Driver
from tests.conformance.replay import (
    Mismatch,
    Mode,
    Played,
    by_json,
    contents,
    expected_rows,
    normal_rows,
    replay,
    same_rows,
)
from tests.conformance.scenarios.digest import block_digests

JAVA_TEXTS = {f"__streams.errors.{part}" for part in ("exception", "message", "stacktrace")}


def check(scenario: Mapping[str, Any]) -> None:
    """Raises Mismatch for the first difference found."""
    java_like = replay(scenario, Mode.EVERY_PUT)
    if java_like is not None:
        _check_rows(scenario, java_like)
        _check_end(scenario, java_like)
    for mode in (Mode.COMMIT_EACH, Mode.COMMIT_LAST):
        try:
            played = replay(scenario, mode)
            if played is not None and java_like is not None:
                _check_end(scenario, played)
                _check_outputs(scenario, java_like, played)
                _check_changelogs(java_like, played)
                _check_restore(played.driver)
        except Mismatch as cause:
            raise Mismatch(f"{mode.value}: {cause.where}", cause.expected, cause.got) from cause


def _check_rows(scenario: Mapping[str, Any], played: Played) -> None:
    suppressed = suppress_changelogs(played.driver)
    rows = [normal_rows(event, scenario, suppressed) for event in played.rows]
    if "digest" in scenario:
        _check_digests(scenario, rows, played.log)
        return
    for number, (event, got, log) in enumerate(zip(scenario["events"], rows, played.log, strict=False)):
        expected = normal_rows(expected_rows(event), scenario, suppressed)
        if not same_rows(got, expected):
            raise Mismatch(f"event {number} {_shown(event)}", expected, got)
        if log != event.get("log", []):
            raise Mismatch(f"log of event {number} {_shown(event)}", event.get("log", []), log)


def _check_digests(scenario: Mapping[str, Any], rows: Sequence[Any], logs: Sequence[Any]) -> None:
    block = scenario["digest"]["block"]
    events = [
        {"expect": [_as_expected(row) for row in event], "log": log} for event, log in zip(rows, logs, strict=True)
    ]
    got = block_digests(events, block=block)
    for number, (mine, theirs) in enumerate(zip(got, scenario["digest"]["sha256"], strict=True)):
        if mine != theirs:
            raise Mismatch(f"digest of events {number * block} to {number * block + block - 1}", theirs, mine)


def _as_expected(row: list[Any]) -> dict[str, Any]:
    topic, key, value, timestamp, partition, headers = row
    # Java's texts of exceptions are nobody's but Java's: vectors have a star there.
    headers = [[name, "*" if name in JAVA_TEXTS else text] for name, text in headers]
    return {
        "topic": topic,
        "key_hex": key,
        "value_hex": value,
        "ts": timestamp,
        "partition": partition,
        "headers": headers,
    }


def _check_end(scenario: Mapping[str, Any], played: Played) -> None:
    if "dropped" in scenario and played.driver.dropped != scenario["dropped"]:
        raise Mismatch("dropped", scenario["dropped"], played.driver.dropped)
    for name, rows in scenario.get("stores", {}).items():
        expected = sorted(rows, key=by_json)
        got = contents(played.driver, name) if name in played.driver.store_names() else "no such store"
        if got != expected:
            raise Mismatch(f"store {name}", expected, got)


def _check_outputs(scenario: Mapping[str, Any], first: Played, other: Played) -> None:
    """Everything but changelogs, in order. Nothing is handed on by a commit here, so events stay comparable."""
    logs = changelogs(first.driver)
    for number, (mine, theirs) in enumerate(zip(other.rows, first.rows, strict=True)):
        expected = normal_rows([row for row in theirs if row[0] not in logs], scenario, set())
        got = normal_rows([row for row in mine if row[0] not in logs], scenario, set())
        if got != expected:
            raise Mismatch(f"outputs of event {number} {_shown(scenario['events'][number])}", expected, got)
        if other.log[number] != first.log[number]:
            raise Mismatch(f"log of event {number}", first.log[number], other.log[number])


def _check_changelogs(first: Played, other: Played) -> None:
    """The last row of each row key must be the same, however many came before."""
    expected, got = _last_rows(first.driver), _last_rows(other.driver)
    for topic in expected.keys() | got.keys():
        if expected.get(topic, {}) != got.get(topic, {}):
            raise Mismatch(f"changelog {topic}, last row per key", expected.get(topic), got.get(topic))


def _last_rows(driver: Driver) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    logs = changelogs(driver)
    for row in driver.sent:
        if row.topic in logs and row.key is not None:
            value = None if row.value is None else row.value.hex()
            found.setdefault(row.topic, {})[row.key.hex()] = [value, row.timestamp]
    return found


def _check_restore(driver: Driver) -> None:
    """A store restored from its changelog equals the store, up to expiry."""
    names = [name for task in driver.tasks for name in task.stores if restorable(driver, name)]
    before = {name: contents(driver, name) for name in names}
    driver.restart()
    for name in names:
        after, kept = contents(driver, name), _alive(driver, name, before[name])
        if after != kept:
            raise Mismatch(f"store {name} restored from its changelog", kept, after)


def _alive(driver: Driver, name: str, rows: list[Any] | None) -> list[Any] | None:
    """Rows that are not past retention: a cache still shows those, a restored store does not."""
    store = driver.store(name)
    if rows is None or not isinstance(store.spec, WindowSpec | SessionSpec):
        return rows
    # A window is as old as its start, a session as its end.
    at = 1 if isinstance(store.spec, WindowSpec) else 2
    # Windows kept for emission on close show one millisecond more (I4).
    more = 1 if isinstance(store.spec, WindowSpec) and store.spec.time_ordered and store.spec.persistent else 0
    alive = [row for row in rows if row[at] + more > store.stream_time - store.spec.retention]
    # A cache in front of sessions in memory may show one twice, as Java's does; a restored store has no cache yet.
    return [row for row, _ in groupby(alive)] if isinstance(store.spec, SessionSpec) else alive


def restorable(driver: Driver, name: str) -> bool:
    topology = driver.topology
    return name in topology.stores and (topology.stores[name].logging or name in topology.restored_from)


def changelogs(driver: Driver) -> set[str]:
    topology = driver.topology
    return {topology.changelog(name) for name in topology.stores if name not in topology.restored_from}


def suppress_changelogs(driver: Driver) -> set[str]:
    topology = driver.topology
    return {topology.changelog(name) for name, spec in topology.stores.items() if isinstance(spec, SuppressSpec)}


def _shown(event: Mapping[str, Any]) -> str:
    if "topic" not in event:
        return str({name: event[name] for name in ("advance_wall", "restart") if name in event})
    return f"({event['topic']}: {event['key']!r}={event['value']!r} at {event['ts']})"
