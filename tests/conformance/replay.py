"""Playing a scenario on the engine, and comparing what came of it with what Java did (FORMAT §7-9)."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from app.streams.dsl.builder import Builder
from app.streams.errors import StreamsError
from app.streams.model import Row
from app.streams.serdes.foreign_key import SubscriptionSerde
from app.streams.stores.specs import KeyValueSpec, LruSpec, SessionSpec, WindowSpec
from app.streams.testing.driver import CommitEvery, Driver
from app.streams.topology.description import describe
from app.streams.topology.topology import Topology
from tests.conformance.settings import settings
from tests.conformance.steps import topology
from tests.conformance.values import UnknownName, from_json, serde, to_json


class Mode(Enum):
    """The three ways a scenario is replayed. Only the first must give Java's changelog row by row."""

    EVERY_PUT = "every put is logged"
    COMMIT_EACH = "one commit per event"
    COMMIT_LAST = "one commit at the end"


class Mismatch(Exception):
    """The scenario failed: where, what was expected, what came."""

    def __init__(self, where: str, expected: Any, got: Any) -> None:
        super().__init__(where)
        self.where, self.expected, self.got = where, expected, got


@dataclass
class Played:
    """What a replay did. rows, log: per event."""

    driver: Driver
    rows: list[list[list[Any]]] = field(default_factory=list)
    log: list[list[Any]] = field(default_factory=list)


def replay(scenario: Mapping[str, Any], mode: Mode) -> Played | None:
    """Build and play; None if it was to be refused and was, or was to die and did. Raises Mismatch."""
    calls: list[Any] = []
    made = _build(scenario, mode, lambda label, key, value: calls.append([label, to_json(key), to_json(value)]))
    if made is None:
        return None
    every = CommitEvery.RECORD if mode is Mode.EVERY_PUT else CommitEvery.NEVER
    # Caches and suppress buffers hand on at commits, so there Java's results need a commit after each record.
    if mode is not Mode.EVERY_PUT and scenario.get("config", {}).get("cache_bytes", 0) > 0:
        every = CommitEvery.RECORD
    played = Played(Driver(made, commit_every=every))
    encode = encoders(scenario)
    for number, event in enumerate(scenario["events"]):
        before = len(played.driver.sent)
        try:
            _play(played.driver, event, encode)
            if mode is Mode.COMMIT_EACH:
                played.driver.commit()
        except Exception as cause:
            if _unknown(cause) is None and "fails" in event:
                return None
            raise Mismatch(f"event {number}", "no error", _told(cause)) from cause
        if "fails" in event:
            raise Mismatch(f"event {number}", f"an error ({event['fails']})", "none")
        played.rows.append([canonical(row) for row in played.driver.sent[before:]])
        played.log.append(list(calls))
        calls.clear()
    if mode is Mode.COMMIT_LAST:
        played.driver.commit()
    return played


def _build(scenario: Mapping[str, Any], mode: Mode, log: Callable[[str, Any, Any], None]) -> Topology | None:
    config = settings(scenario.get("config", {}), log_every_put=mode is Mode.EVERY_PUT)
    try:
        made = topology(Builder(config), scenario["topology"], log)
        Driver(made).close()
    except (StreamsError, ValueError, TypeError) as cause:
        if "build_error" in scenario and _unknown(cause) is None:
            return None
        raise Mismatch("build", scenario.get("build_error", "no error"), _told(cause)) from cause
    if "build_error" in scenario:
        raise Mismatch("build", scenario["build_error"], "no error")
    text = describe(made)
    if "describe" in scenario and normal_description(text) != normal_description(scenario["describe"]):
        raise Mismatch("describe", scenario["describe"], text)
    return made


def _play(driver: Driver, event: Mapping[str, Any], encode: Callable[[str, str, Any], bytes | None]) -> None:
    if "advance_wall" in event:
        driver.advance(event["advance_wall"])
    elif event.get("restart"):
        driver.restart()
    else:
        topic = event["topic"]
        headers = tuple((name, None if text is None else text.encode()) for name, text in event.get("headers", []))
        key, value = encode(topic, "key", event["key"]), encode(topic, "value", event["value"])
        driver.send(topic, key, value, event["ts"], headers)


def encoders(scenario: Mapping[str, Any]) -> Callable[[str, str, Any], bytes | None]:
    """(topic, "key" or "value", JSON) → bytes, by the serde of the first step that names the topic (FORMAT §7)."""
    config = scenario.get("config", {})
    defaults = {part: config.get(f"default_{part}", "string") for part in ("key", "value")}

    def serde_name(topic: str, part: str) -> str:
        for step in scenario["topology"]:
            if topic in step.get("topics", ()) or (step.get("topic") == topic and step["op"] in READS):
                return str(step.get(part) or step.get("materialized", {}).get(part) or defaults[part])
        for step in scenario["topology"]:
            if "pattern" in step and re.fullmatch(step["pattern"], topic):
                return str(step.get(part) or defaults[part])
        return str(defaults[part])

    def encode(topic: str, part: str, value: Any) -> bytes | None:
        if value is None:
            return None
        name = serde_name(topic, part)
        if isinstance(value, dict) and "hex" in value:
            return bytes.fromhex(value["hex"])
        found = serde(name)
        return None if found is None else found.serializer(topic)(from_json(name, value))

    return encode


READS = ("table", "global_table", "add_global_store", "add_read_only_store")


def canonical(row: Row) -> list[Any]:
    """[topic, key, value, ts, partition, headers], bytes as hex."""
    headers = [[name, None if value is None else value.hex()] for name, value in row.headers]
    return [row.topic, _hex(row.key), _hex(row.value), row.timestamp, row.partition, headers]


def expected_rows(event: Mapping[str, Any]) -> list[list[Any]]:
    return [
        [row["topic"], row["key_hex"], row["value_hex"], row["ts"], row.get("partition"), row.get("headers", [])]
        for row in event.get("expect", [])
    ]


def normal_rows(rows: Sequence[list[Any]], scenario: Mapping[str, Any], suppressed: set[str]) -> list[list[Any]]:
    """Runs of one suppress changelog sorted by key; with `"order": "topic"` by topic besides (FORMAT §9)."""
    found: list[list[Any]] = []
    for run in _runs(rows, suppressed):
        found += sorted(run, key=lambda row: bytes.fromhex(row[1] or "")) if run[0][0] in suppressed else run
    return sorted(found, key=lambda row: str(row[0])) if scenario.get("order") == "topic" else found


def _runs(rows: Sequence[list[Any]], suppressed: set[str]) -> Iterator[list[list[Any]]]:
    run: list[list[Any]] = []
    for row in rows:
        if run and (row[0] != run[0][0] or row[0] not in suppressed):
            yield run
            run = []
        run.append(row)
    if run:
        yield run


def same_rows(got: Sequence[list[Any]], expected: Sequence[list[Any]]) -> bool:
    if len(got) != len(expected):
        return False
    return all(
        mine[:5] == theirs[:5] and _same_headers(mine[5], theirs[5]) for mine, theirs in zip(got, expected, strict=True)
    )


def _same_headers(got: list[Any], expected: list[Any]) -> bool:
    if len(got) != len(expected):
        return False
    return all(m[0] == t[0] and (t[1] == "*" or m[1] == t[1]) for m, t in zip(got, expected, strict=True))


def normal_description(text: str) -> str:
    """Names inside lists sorted; white space at the end does not count."""

    def in_list(match: re.Match[str]) -> str:
        return match[1] + ", ".join(sorted(match[2].split(", "))) + match[3]

    text = re.sub(r"(\((?:stores|topics): \[)([^\]]*)(\]\))", in_list, text.rstrip())
    return re.sub(r"((?:-->|<--) )(.*)()", in_list, text)


def contents(driver: Driver, name: str) -> list[Any] | None:
    """A store's rows as the format writes them, sorted by their JSON; None for kinds it leaves out."""
    store = driver.store(name)
    spec = store.spec
    rows: list[Any]
    if isinstance(spec, LruSpec):
        rows = [[to_json(key), to_json(value)] for key, value in store.all()]
    elif isinstance(spec, KeyValueSpec) and not isinstance(spec.value, SubscriptionSerde):
        rows = [[to_json(key), *_stamped(value, spec.timestamped)] for key, value in store.all()]
    elif isinstance(spec, WindowSpec):
        rows = [[to_json(at.key), at.start, *_stamped(value, spec.timestamped)] for at, value in store.all()]
    elif isinstance(spec, SessionSpec):
        rows = [[to_json(at.key), at.start, at.end, to_json(value)] for at, value in store.fetch_keys(None, None)]
    else:
        return None
    return sorted(rows, key=by_json)


def by_json(row: Any) -> str:
    return json.dumps(row, ensure_ascii=False)


def _stamped(value: Any, timestamped: bool) -> list[Any]:
    return [to_json(value[0]), value[1]] if timestamped else [to_json(value)]


def _hex(data: bytes | None) -> str | None:
    return None if data is None else data.hex()


def _unknown(cause: BaseException | None) -> UnknownName | None:
    """An unknown word somewhere behind an error: then the error says nothing about the engine."""
    while cause is not None:
        if isinstance(cause, UnknownName):
            return cause
        cause = cause.__cause__
    return None


def _told(cause: BaseException) -> str:
    return f"{type(cause).__name__}: {cause}"
