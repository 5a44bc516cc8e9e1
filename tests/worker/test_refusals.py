"""What is sent in place of a row that no request may hold, and what is said of it."""

import logging

import pytest

from app.kafka.dead_letters import KEPT, PREFIX
from app.kafka.letters import DeadLetter, letter
from app.kafka.writing import MAX_ROW_BYTES, RowTooLarge, RowWriter
from app.streams import Builder, Materialized, StreamsConfig, Topology
from app.streams.config import ErrorContext, Verdict, fail, skip
from app.streams.model import Headers, Row, TopicPartition
from app.streams.serdes import int64, utf8
from app.worker.refusals import REASON_BYTES, fitting, refusals
from tests.kafka.recording import Recording

LETTERS = "refused.dlq"
SAID = {"exception": b"ValueError", "message": b"bad", "topic": b"in", "partition": b"2", "offset": b"7"}


def topology(handler: object = skip) -> Topology:
    config = StreamsConfig(application_id="refused", dead_letter_topic=LETTERS, production_handler=handler)  # type: ignore[arg-type]
    builder = Builder(config)
    words = builder.stream("in", key=utf8, value=utf8).group_by_key().count(Materialized("counts"))
    words.to_stream().to("out", key=utf8, value=int64)
    return builder.build()


def too_large(row: Row) -> RowTooLarge:
    return RowTooLarge(row.topic, 2 * MAX_ROW_BYTES, MAX_ROW_BYTES)


def sent(row: Row, by: Topology | None = None) -> Row | None:
    return refusals(by or topology())(row, too_large(row))


def reasons(**said: bytes) -> Headers:
    return tuple((PREFIX + name, text) for name, text in (SAID | said).items())


def read(row: Row | None) -> DeadLetter:
    assert row is not None
    return letter(TopicPartition(row.topic, 0), (0, row.timestamp or 0, row.key, row.value, row.headers))


def test_a_row_that_is_too_large_is_kept_by_its_beginning() -> None:
    row = sent(Row("out", 3, b"k", b"v" * MAX_ROW_BYTES, 0, (("own", b"1"),)))
    assert row is not None
    assert (row.topic, row.partition, row.timestamp) == (LETTERS, None, 0)
    kept = read(row)
    assert (kept.key, kept.value, kept.headers) == (b"k", b"v" * KEPT, (("own", b"1"),))
    assert (kept.reason, kept.source, kept.cut) == ("RowTooLarge", None, True)
    assert "for topic out is larger than a request may be" in kept.said["message"]


def test_the_handler_is_told_what_the_row_was() -> None:
    told: list[ErrorContext] = []

    def handler(error: ErrorContext, _cause: BaseException, _letters: tuple[Row, ...]) -> Verdict:
        told.append(error)
        return Verdict(True)

    assert sent(Row("out", 0, b"k", b"v", 0, ()), topology(handler)) is None
    assert [(each.node, each.timestamp, each.raw_key) for each in told] == [("out", 0, b"k")]


@pytest.mark.parametrize("topic", ["refused-counts-changelog", "out"])
def test_what_may_not_be_given_up_ends_the_task(topic: str) -> None:
    """The rows of a store whatever the handler says, those of a sink as it says."""
    with pytest.raises(RowTooLarge):
        sent(Row(topic, 0, b"k", b"v", 0, ()), topology(fail if topic == "out" else skip))


@pytest.mark.parametrize(
    ("value", "said", "whole"),
    [
        (b"v" * 400_000, {"message": b"m" * 400_000, "stacktrace": b"s" * 400_000}, True),
        (b"v" * MAX_ROW_BYTES, {}, False),
        (b"v" * MAX_ROW_BYTES, {"message": b"m" * MAX_ROW_BYTES, "stacktrace": b"s" * MAX_ROW_BYTES}, False),
    ],
)
def test_a_letter_that_is_too_large_is_written_shortened(
    value: bytes, said: dict[str, bytes], whole: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """A message that quotes its record makes the letter larger than the record was; the record is the last to be cut,
    and one that was cut is not taken for what came."""
    first = Row(LETTERS, 0, b"k", value, 5, reasons(**said))
    writer = RowWriter(Recording(), lambda _: 1, refused=refusals(topology()))
    writer.write([first])
    assert writer.waiting_rows == 1
    assert [record.levelno for record in caplog.records] == [logging.WARNING]

    kept = read(sent(first))
    assert (kept.origin, kept.key) == ("in/2:7", b"k")
    assert kept.value == (value if whole else value[:KEPT])
    assert kept.cut is not whole
    assert all(len(text) <= REASON_BYTES for text in kept.said.values())


def test_a_letter_that_cannot_be_shortened_ends_the_task() -> None:
    """One made of names of headers, which stay as they are."""
    row = Row(LETTERS, 0, None, None, 5, ((PREFIX + "x" * MAX_ROW_BYTES, b""),))
    with pytest.raises(RowTooLarge):
        sent(row)


def test_what_was_shortened_is_not_shortened_again() -> None:
    row = Row(LETTERS, 0, b"k" * MAX_ROW_BYTES, b"v" * MAX_ROW_BYTES, 5, reasons(message=b"m" * MAX_ROW_BYTES))
    once = fitting(row, MAX_ROW_BYTES)
    assert fitting(once, MAX_ROW_BYTES) == once
    assert fitting(once, 1_000) == once
