"""`python -m app dlq`: what it lists and shows, and that a replay sends each letter once."""

import asyncio
import io
import itertools
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, ConsumerRecord, TopicPartition

from app.__main__ import main
from app.commands import dlq
from app.errors import ConfigError, ExitCode, UsageError
from app.kafka.dead_letters import PREFIX, compose
from app.numbers import Rejected, Unreadable
from tests.commands.applications import Application, application
from tests.kafka.granting import create_topic

_numbers = itertools.count()
Headers = list[tuple[str, bytes | None]]


@pytest.fixture
def app(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    with application(f"dlq-{next(_numbers)}", kafka, tmp_path, monkeypatch) as made:
        yield made


async def run(app: Application, action: str = "list", **arguments: object) -> ExitCode:
    """In a thread, since it starts a loop of its own."""
    return await asyncio.to_thread(lambda: dlq.run(app.loaded(), action=action, **arguments))  # type: ignore[arg-type]


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Without the first line, which names the cluster, and with single spaces."""
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("Kafka at ")
    return [" ".join(line.split()) for line in rest]


def said(topic: str | None, partition: int, offset: int, exception: str = "builtins.ValueError") -> Headers:
    """The headers of a stream topology's letter."""
    values = {
        "exception": exception,
        "message": f"number {offset}",
        "stacktrace": "Traceback\n  here",
        "topic": topic,
        "partition": str(partition),
        "offset": str(offset),
    }
    return [(PREFIX + name, None if text is None else text.encode()) for name, text in values.items()]


async def put(app: Application, *letters: tuple[int, bytes | None, bytes | None, Headers], topic: str = "") -> None:
    """partition, key, value, headers; each in a transaction of its own, as a topology may send them."""
    producer = AIOKafkaProducer(bootstrap_servers=app.server, transactional_id=f"{app.name}-test")
    await producer.start()
    try:
        for number, (partition, key, value, headers) in enumerate(letters):
            async with producer.transaction():
                batch = producer.create_batch()
                batch.append(key=key, value=value, timestamp=1_000 * (number + 1), headers=headers)
                await (await producer.send_batch(batch, topic or f"{app.name}.dlq", partition=partition))
    finally:
        await producer.stop()


async def records(app: Application, topic: str) -> list[tuple[int, int, bytes | None, bytes | None, Headers]]:
    """Partition, timestamp, key, value, headers of all that is committed."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=app.server, isolation_level="read_committed", auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        places = [TopicPartition(topic, 0), TopicPartition(topic, 1)]
        consumer.assign(places)
        found = []
        # Not by the reader: its end may lag behind a transaction whose commit was answered.
        async with AIOKafkaConsumer(bootstrap_servers=app.server) as other:
            ends = await other.end_offsets(places)
        async with asyncio.timeout(20):
            while [place for place in places if await consumer.position(place) < ends[place]]:
                for batch in (await consumer.getmany(timeout_ms=200)).values():
                    found += [(r.partition, r.timestamp, r.key, r.value, list(r.headers)) for r in batch]
        return sorted(found, key=lambda row: (row[0], row[1]))
    finally:
        await consumer.stop()


async def made(app: Application) -> str:
    """Inputs and the topic of the topology's dead letters, with three letters in it: one of them of another reason."""
    await app.make_inputs()
    await create_topic(app.server, f"{app.name}.dlq", 2)
    words = f"{app.name}.words"
    await put(
        app,
        (0, b"k3", b"one", [("h", b"own"), ("h", None), *said(words, 1, 11)]),
        (1, None, None, said(words, 0, 12, "app.numbers.Unreadable")),
        (0, b"\xff\x00", b"three", said(words, 7, 13)),
    )
    return words


async def test_nothing_is_there(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    assert await run(app) is ExitCode.OK
    assert printed(capsys) == [f"topic {app.name}.words.dlq: not there", f"topic {app.name}.dlq: not there"]


async def test_letters_are_counted_and_the_newest_named(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    words = await made(app)
    await run(app, topic=f"{app.name}.dlq")
    assert printed(capsys) == [
        f"topic {app.name}.dlq: 3 dead letters",
        "from reason letters",
        f"{words} ValueError 2",
        f"{words} Unreadable 1",
        "newest:",
        f"{app.name}.dlq/0:2 1970-01-01T00:00:03.000Z {words}/7:13 ValueError: number 13",
        f"{app.name}.dlq/1:0 1970-01-01T00:00:02.000Z {words}/0:12 Unreadable: number 12",
        f"{app.name}.dlq/0:0 1970-01-01T00:00:01.000Z {words}/1:11 ValueError: number 11",
    ]
    await run(app, topic=f"{app.name}.dlq", reason="Unreadable")
    assert printed(capsys)[0] == f"topic {app.name}.dlq: 1 dead letter"


async def test_letters_of_an_aborted_transaction_are_none(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    words = await made(app)
    producer = AIOKafkaProducer(bootstrap_servers=app.server, transactional_id=f"{app.name}-test")
    await producer.start()
    try:
        await producer.begin_transaction()
        await producer.send_and_wait(f"{app.name}.dlq", b"x", b"x", 0, 1, said(words, 0, 1))
        await producer.abort_transaction()
    finally:
        await producer.stop()
    await run(app, topic=f"{app.name}.dlq")
    assert printed(capsys)[0] == f"topic {app.name}.dlq: 3 dead letters"


async def test_one_is_shown_whole(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    words = await made(app)
    await run(app, "show", record=f"{app.name}.dlq/0:0")
    assert printed(capsys) == [
        f"dead letter {app.name}.dlq/0:0",
        f"from {words}/1:11",
        "time 1970-01-01T00:00:01.000Z",
        "reason ValueError",
        "exception builtins.ValueError",
        "message number 11",
        "header h: own",
        "header h: null",
        "key k3",
        "value one",
        "| Traceback",
        "| here",
    ]
    await run(app, "show", record="0:2", topic=f"{app.name}.dlq")
    assert printed(capsys)[6:8] == ["key hex ff 00", "value three"]


async def test_a_terminal_without_umlauts_gets_something_else(
    app: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(app)
    await put(app, (0, None, "für".encode(), said(f"{app.name}.words", 0, 9)))
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    with monkeypatch.context() as patched:
        patched.setattr(sys, "stdout", terminal)
        await run(app, "show", record=f"{app.name}.dlq/0:4")
    terminal.seek(0)
    assert "  value     f?r\n" in terminal.readlines()


async def test_a_record_that_is_none_is_refused(app: Application) -> None:
    await made(app)
    for record in ("0:99", "0:1", "9:0"):  # 0:1 is the end of a transaction
        for action, where in (("show", f"{app.name}.dlq/"), ("replay", f"{app.name}.dlq/"), ("show", "")):
            with pytest.raises(UsageError, match=rf"^{where}{record}: there is no such dead letter$"):
                await run(app, action, record=f"{where}{record}")


async def test_a_topic_that_was_named_has_to_be_there(app: Application) -> None:
    for action in ("list", "replay"):
        with pytest.raises(UsageError, match=rf"^topic {app.name}: not there; without a topic, those of the settings"):
            await run(app, action, topic=app.name)


async def test_what_a_letter_says_of_itself_cannot_move_the_cursor(
    app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await made(app)
    await put(app, (0, None, b"x", said("in\x1b[2J", 0, 99, "builtins.\x1b]0;x")))
    await run(app, topic=f"{app.name}.dlq")
    await run(app, "show", record=f"{app.name}.dlq/0:4")
    shown = capsys.readouterr().out
    assert "99" in shown
    assert "\x1b" not in shown


async def test_a_plan_sends_nothing(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    words = await made(app)
    await run(app, "replay", topic=f"{app.name}.dlq")
    assert printed(capsys) == [
        f"topic {app.name}.dlq: 3 dead letters",
        f"3 to be sent to {words}, where everything that reads it gets them once more",
        "nothing was sent: --execute sends them",
    ]
    assert await records(app, words) == []


async def test_a_replay_gives_back_what_came_and_each_once(
    app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    words = await made(app)
    await run(app, "replay", execute=True)
    assert printed(capsys)[-1] == f"replayed 3 dead letters of {app.name}.dlq"
    back = await records(app, words)
    assert (1, 1_000, b"k3", b"one", [("h", b"own"), ("h", None)]) in back
    assert (0, 2_000, None, None, []) in back
    # Partition 7 is no more: by its key, as any record.
    assert (1, 3_000, b"\xff\x00", b"three", []) in back
    assert len(back) == 3

    await run(app, "replay", execute=True)
    assert printed(capsys)[1:] == [
        f"topic {app.name}.dlq: 3 dead letters",
        "3 left: replayed before",
        "there is nothing to replay",
    ]
    assert await records(app, words) == back

    await put(app, (0, b"k4", b"four", said(words, 0, 14)))
    await run(app, "replay", execute=True)
    assert printed(capsys)[-1] == f"replayed 1 dead letter of {app.name}.dlq"
    assert len(await records(app, words)) == 4
    await run(app, topic=f"{app.name}.dlq")
    assert printed(capsys)[0] == f"topic {app.name}.dlq: 4 dead letters, 4 of them replayed"


async def test_single_ones_are_remembered_too(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    words = await made(app)
    await run(app, "replay", record=f"{app.name}.dlq/0:2", execute=True)
    await run(app, "replay", record=f"{app.name}.dlq/0:2", execute=True)
    assert [row[3] for row in await records(app, words)] == [b"three"]
    await run(app, "replay", reason="Unreadable", execute=True)
    await run(app, "replay", execute=True)
    capsys.readouterr()
    assert sorted(str(row[3]) for row in await records(app, words)) == ["None", "b'one'", "b'three'"]


async def test_a_letter_may_name_anything_as_its_topic(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    await made(app)
    await put(app, (0, None, b"x", said("in\x1b[2J", 0, 1)), (0, None, b"x", said("t" * 40_000, 0, 1)))
    await run(app, "replay", topic=f"{app.name}.dlq", execute=True)
    lines = printed(capsys)
    assert "1 left: come from in [2J, which is not there" in lines
    assert lines[-1] == f"replayed 3 dead letters of {app.name}.dlq"


async def test_a_source_that_takes_little_at_once_gets_them_all(app: Application) -> None:
    words = f"{app.name}.words"
    await create_topic(app.server, words, 2, max_message_bytes="20000")
    await create_topic(app.server, f"{app.name}.dlq", 2)
    await put(app, *((0, b"k", b"x" * 9_000, said(words, 0, offset)) for offset in range(5)))
    await run(app, "replay", topic=f"{app.name}.dlq", execute=True)
    assert len(await records(app, words)) == 5


async def test_letters_whose_topic_was_away_are_not_taken_for_sent(
    app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    words, away = await made(app), f"{app.name}.away"
    await put(app, (0, None, b"later", said(away, 0, 1)), (0, b"k", b"four", said(words, 0, 14)))
    await run(app, "replay", topic=f"{app.name}.dlq", execute=True)
    lines = printed(capsys)
    assert f"1 left: come from {away}, which is not there" in lines
    assert lines[-1] == f"replayed 4 dead letters of {app.name}.dlq"
    await create_topic(app.server, away, 2)
    await run(app, "replay", topic=f"{app.name}.dlq", execute=True)
    assert printed(capsys)[-1] == f"replayed 1 dead letter of {app.name}.dlq"
    assert [row[3] for row in await records(app, away)] == [b"later"]
    assert len(await records(app, words)) == 4


async def test_what_was_sent_before_a_failure_is_said(
    app: Application, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """And is not sent again: the letters of the last transaction are too large for where they came from."""
    words = await made(app)
    large = f"{app.name}.large"
    await create_topic(app.server, large, 1, max_message_bytes="2000")
    await put(app, (0, None, b"x" * 9_000, said(large, 0, 1)))
    monkeypatch.setattr(dlq, "CHUNK", 1)
    with pytest.raises(ConfigError, match=r"one is larger than its topic takes now; raise the max.message.bytes"):
        await run(app, "replay", topic=f"{app.name}.dlq", execute=True)
    done = len(await records(app, words))
    assert done >= 2  # of partition 0, in their order; partition 1 may come before or after
    assert printed(capsys)[-1] == f"replayed {done} dead letters of {app.name}.dlq"
    await run(app, "replay", topic=f"{app.name}.dlq", source=words, execute=True)
    assert len(await records(app, words)) == 3


async def test_letters_of_c_go_back_too(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    words = await made(app)
    await create_topic(app.server, f"{words}.dlq", 1)
    record = ConsumerRecord(words, 1, 5, 7, 0, b"A", b"{", None, 1, 1, (("h", b"1"),))
    written = compose(Rejected(record, Unreadable("not_json", "not JSON: x")))
    await put(app, (0, written.key, written.value, written.headers), topic=f"{words}.dlq")
    await run(app, topic=f"{words}.dlq")
    assert printed(capsys)[2] == f"{words} not_json 1"
    await run(app, "replay", topic=f"{words}.dlq", execute=True)
    assert await records(app, words) == [(1, 1_000, b"A", b"{", [("h", b"1")])]


async def test_what_cannot_go_back_is_left_and_said(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    words = await made(app)
    await put(
        app,
        (0, None, b"x", said(None, -1, -1)),
        (0, None, b"x", said(f"{app.name}.gone", 0, 1)),
        (0, None, b"x", [*said(words, 0, 1), (f"{PREFIX}value.length", b"99999"), (f"{PREFIX}value.sha256", b"00")]),
    )
    await run(app, "replay", topic=f"{app.name}.dlq")
    assert printed(capsys) == [
        f"topic {app.name}.dlq: 6 dead letters",
        f"1 left: come from {app.name}.gone, which is not there",
        "1 left: come from no record",
        "1 left: were too large to be kept whole",
        f"3 to be sent to {words}, where everything that reads it gets them once more",
        "nothing was sent: --execute sends them",
    ]
    await run(app, "replay", topic=f"{app.name}.dlq", execute=True)
    await run(app, "replay", topic=f"{app.name}.dlq", execute=True)
    assert len(await records(app, words)) == 3


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["lst"], "'lst': no action of dlq; there are list, show, replay"),
        (["show"], "show: needs a record, as PARTITION:OFFSET; python -m app dlq lists the newest"),
        (["show", "12"], "'12': is no record; it is written [TOPIC/]PARTITION:OFFSET"),
        (["show", "a/0:1", "--topic=b"], "'a/0:1': is not of --topic b"),
        (["list", "0:1"], "list: takes no record; show does"),
        (["replay", "0:1"], "replay: 0:1 may be of several topics; it is written TOPIC/PARTITION:OFFSET"),
        (["--execute"], "--execute: belongs to replay"),
        (["--topic=a b"], "topic name 'a b' has characters other than ASCII letters, digits, '.', '_' and '-'"),
    ],
)
def test_misuse_is_one_line_and_64(argv: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["dlq", *argv], {}) == 64
    assert capsys.readouterr().err == f"{line}\n"
