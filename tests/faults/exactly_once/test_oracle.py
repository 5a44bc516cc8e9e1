"""An oracle that never failed proves nothing: each topic is falsified in each way, and it has to say so."""

from collections.abc import Callable

import pytest

from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.findings import Kind, summary
from tests.faults.exactly_once.logs import Headers, Logged, Logs
from tests.faults.exactly_once.oracle import (
    GROUP_STORES,
    JOIN_STORES,
    KEY_STORES,
    Verdict,
    changelog,
    judge,
    topics_to_read,
)
from tests.faults.exactly_once.rehearsal import NAMES, rehearse

Rows = list[Logged]
Tampering = Callable[[Rows], Rows]

OUTPUTS = [*map(NAMES.topic, of.OUTPUTS), NAMES.repartition]
HEADERS_NOT_FORETOLD = set(map(NAMES.topic, (of.PAIRS, of.FINALS, of.PROGRESS)))
CHANGELOGS = [changelog(NAMES, store) for store in (*KEY_STORES, *JOIN_STORES, *GROUP_STORES)]


@pytest.fixture(scope="module")
def logs() -> Logs:
    return rehearse(seed=7, records=400)


def test_nothing_is_found_where_nothing_is_wrong(logs: Logs) -> None:
    verdict = judge(NAMES, logs, exactly_once=True)
    assert summary(verdict.findings) == "0 lost, 0 doubled, 0 different"
    assert verdict.inputs == 400 + 400 + of.PARTITIONS
    assert verdict.compared > 10 * verdict.inputs
    assert all(logs.count([topic]) for topic in topics_to_read(NAMES)), "a topic without records shows nothing"
    assert not judge(NAMES, logs, exactly_once=False).findings


@pytest.mark.parametrize("topic", OUTPUTS)
@pytest.mark.parametrize("place", [-1, -2, -3, -4])
def test_an_output_that_is_lost_is_found(logs: Logs, topic: str, place: int) -> None:
    assert Kind.LOST in kinds(judged(logs, topic, lambda rows: [row for row in rows if row is not rows[place]]))


@pytest.mark.parametrize("topic", OUTPUTS)
def test_an_output_that_is_doubled_is_found(logs: Logs, topic: str) -> None:
    assert Kind.DOUBLED in kinds(judged(logs, topic, lambda rows: [*rows, rows[-2]]))
    assert Kind.DOUBLED in kinds(judged(logs, topic, lambda rows: rows[:2] + rows[1:]))


@pytest.mark.parametrize("topic", [*OUTPUTS, *CHANGELOGS])
def test_an_output_that_is_changed_is_found(logs: Logs, topic: str) -> None:
    assert judged(logs, topic, lambda rows: [*rows[:-1], rows[-1]._replace(value=other_value(rows))]).findings
    assert judged(logs, topic, lambda rows: [*rows[:-1], rows[-1]._replace(timestamp=0)]).findings


@pytest.mark.parametrize("topic", [topic for topic in OUTPUTS if topic not in HEADERS_NOT_FORETOLD])
def test_other_headers_are_found(logs: Logs, topic: str) -> None:
    assert judged(logs, topic, lambda rows: with_headers(rows, ())).findings
    assert judged(logs, topic, lambda rows: with_headers(rows, (("n", b"other"),))).findings


@pytest.mark.parametrize("topic", OUTPUTS)
def test_outputs_in_another_order_are_found(logs: Logs, topic: str) -> None:
    assert judged(logs, topic, lambda rows: rows[::-1]).findings
    # Two pairs may have met either way, and windows that close together are in the order of their keys.
    if topic not in map(NAMES.topic, (of.PAIRS, of.FINALS)):
        assert judged(logs, topic, swapped).findings


def test_what_a_tombstone_deleted_is_missed(logs: Logs) -> None:
    for topic in (NAMES.topic(of.ODDS), changelog(NAMES, "odds")):
        assert judged(logs, topic, lambda rows: one_other_value(rows, None)).findings
        assert judged(logs, topic, lambda rows: one_other_value(rows, bytes(8))).findings


@pytest.mark.parametrize("topic", CHANGELOGS)
def test_a_store_that_lost_its_last_row_is_found(logs: Logs, topic: str) -> None:
    assert Kind.LOST in kinds(judged(logs, topic, lambda rows: [row for row in rows if row.key != rows[-1].key]))
    assert judged(logs, topic, lambda rows: rows[:-1]).findings


@pytest.mark.parametrize("topic", [changelog(NAMES, store) for store in (*KEY_STORES, *GROUP_STORES)])
def test_a_row_that_a_store_never_held_then_is_found(logs: Logs, topic: str) -> None:
    """Written twice; old ones again, which the last one hides; out of nothing."""
    assert Kind.DIFFERENT in kinds(judged(logs, topic, lambda rows: [*rows, rows[-1]]))
    assert judged(logs, topic, lambda rows: [rows[-1], *rows]).findings
    assert judged(logs, topic, lambda rows: [rows[-1]._replace(value=bytes(9)), *rows]).findings


@pytest.mark.parametrize("side", of.INPUTS)
def test_an_input_worked_on_twice_or_never_shows_everywhere(logs: Logs, side: str) -> None:
    """Taken from the input it has been worked on once too often; put there it has not been worked on."""
    topic = NAMES.topic(side)
    twice = judged(logs, topic, lambda rows: rows[:-3] + rows[-2:])
    never = judged(logs, topic, lambda rows: [*rows, rows[-2]._replace(timestamp=rows[-2].timestamp + 1)])
    outputs = {of.LEFT: set(of.KEY_OUTPUTS) - {of.FINALS, of.PAIRS}, of.RIGHT: {of.PROGRESS}}[side]
    for verdict in (twice, never):
        assert outputs <= {finding.where.rpartition("-")[0] for finding in verdict.findings} | {of.ECHO}
    assert judge(NAMES, without(logs, topic), exactly_once=True).findings


def test_at_least_once_forgives_what_is_doubled_and_nothing_that_is_lost(logs: Logs) -> None:
    for output in (of.ECHO, of.PAIRS, of.REGROUPED):
        topic = NAMES.topic(output)
        assert not judged(logs, topic, lambda rows: [*rows, rows[-1]], exactly_once=False).findings
        assert Kind.LOST in kinds(judged(logs, topic, lambda rows: rows[:-1], exactly_once=False))
    for output in (of.COUNTS, of.SUMS, of.WINDOWS, of.GROUP_COUNTS, of.GROUP_SUMS):
        topic = NAMES.topic(output)
        assert Kind.LOST in kinds(judged(logs, topic, lambda rows: rows[:-1], exactly_once=False))
        assert not judged(logs, topic, lambda rows: [*rows, one_more(rows[-1])], exactly_once=False).findings
    minima = NAMES.topic(of.MINIMA)
    assert judged(logs, minima, lambda rows: [*rows, one_more(rows[-1])], exactly_once=False).findings


def judged(logs: Logs, topic: str, tampering: Tampering, *, exactly_once: bool = True) -> Verdict:
    """With one partition of the topic falsified."""
    return judge(NAMES, tampered(logs, topic, tampering), exactly_once=exactly_once)


def tampered(logs: Logs, topic: str, tampering: Tampering) -> Logs:
    known = topics_to_read(NAMES)
    parts = {(name, number): logs.of(name, number) for name, count in known.items() for number in range(count)}
    fullest = max(range(known[topic]), key=lambda number: len(parts[topic, number]))
    return Logs(parts | {(topic, fullest): tampering(parts[topic, fullest])})


def without(logs: Logs, topic: str) -> Logs:
    return tampered(logs, topic, lambda _rows: [])


def kinds(verdict: Verdict) -> set[Kind]:
    return {finding.kind for finding in verdict.findings}


def with_headers(rows: Rows, headers: Headers) -> Rows:
    """The last row that has some, with others."""
    last = next(index for index in reversed(range(len(rows))) if rows[index].headers)
    return [*rows[:last], rows[last]._replace(headers=headers), *rows[last + 1 :]]


def one_other_value(rows: Rows, value: bytes | None) -> Rows:
    """Of the last row that is no tombstone, or is one."""
    last = next(index for index in reversed(range(len(rows))) if (rows[index].value is None) != (value is None))
    return [*rows[:last], rows[last]._replace(value=value), *rows[last + 1 :]]


def other_value(rows: Rows) -> bytes | None:
    """That of another row."""
    return next(row.value for row in rows if row.value != rows[-1].value)


def one_more(row: Logged) -> Logged:
    return row._replace(value=(int.from_bytes(row.value or b"", "big") + 1).to_bytes(8, "big"))


def swapped(rows: Rows) -> Rows:
    """The last row of the commonest key, and the last one before it that is another."""
    keys = [row.key for row in rows]
    commonest = max(set(keys), key=keys.count)
    places = [index for index, key in enumerate(keys) if key == commonest]
    last = places[-1]
    other = next(index for index in reversed(places) if rows[index].written != rows[last].written)
    changed = list(rows)
    changed[other], changed[last] = rows[last], rows[other]
    return changed
