"""`python -m app reset`: what it prints, what it does, and when it refuses."""

import asyncio
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from app.__main__ import main
from app.commands import reset
from app.errors import ConfigError, ExitCode, TryAgain, UsageError
from app.kafka.admin import open_admin
from app.kafka.clients import target
from app.kafka.offsets import commit_offsets, committed_offsets
from app.kafka.resetting import Aim, Where, execute, survey
from app.settings import KafkaSettings
from app.state import take_slot
from app.streams.model import TopicPartition
from app.topologies import build
from tests.commands.applications import Application, application
from tests.commands.test_topics import fill
from tests.kafka.granting import create_topic

_numbers = itertools.count()


@pytest.fixture
def app(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    with application(f"reset-{next(_numbers)}", kafka, tmp_path, monkeypatch) as made:
        yield made


async def run(app: Application, *, to: str | None = None, also: str | None = None, execute: bool = False) -> ExitCode:
    """In a thread, since it starts a loop of its own."""
    return await asyncio.to_thread(reset.run, app.loaded(), to=to, also=also, execute=execute)


async def committed(app: Application, group: str | None = None) -> dict[str, int]:
    async with open_admin(target(KafkaSettings(), (app.server,))) as admin:
        found = await committed_offsets(admin, group or app.name)
    return {f"{topic.removeprefix(app.name)}-{partition}": offset for (topic, partition), offset in found.items()}


async def commit(app: Application, group: str | None = None, **offsets: int) -> None:
    """words0=3: offset 3 of partition 0 of <name>.words."""
    wanted = {TopicPartition(f"{app.name}.{name[:-1]}", int(name[-1])): offset for name, offset in offsets.items()}
    async with open_admin(target(KafkaSettings(), (app.server,))) as admin:
        await commit_offsets(admin, group or app.name, wanted)


async def topics(app: Application) -> set[str]:
    async with open_admin(target(KafkaSettings(), (app.server,))) as admin:
        return {name for name in (await admin.describe(None)).topics if name.startswith(app.name)}


def printed(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Without the first line, which names the cluster, and with single spaces."""
    first, *rest = capsys.readouterr().out.splitlines()
    assert first.startswith("Kafka at ")
    return [" ".join(line.split()) for line in rest]


async def lived(app: Application) -> None:
    """It has read something, and has a table."""
    await app.make_inputs()
    await app.make_internal()
    await fill(app.server, f"{app.name}.words", 3, 4)
    await send(app, app.internal[1], 0, 0)
    await commit(app, words0=2, words1=4, more0=0)
    with take_slot(app.state_dir, app.name):
        pass


async def test_it_prints_its_plan_and_changes_nothing(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    await lived(app)
    before = await topics(app), await committed(app)
    assert await run(app) == ExitCode.OK

    lines = printed(capsys)
    assert lines[:8] == [
        f"application {app.name}: 0 members",
        "offsets to be set:",
        "input partition first end committed new",
        f"{app.name}.words 0 0 3 2 0",
        f"{app.name}.words 1 0 4 4 0",
        "to be deleted:",
        f"topic {app.name}-by-word-repartition with 2 partitions and 0 records",
        f"topic {app.name}-counts-changelog with 2 partitions and 2 records",
    ]
    assert lines[8].startswith(f"{app.state_dir / app.name} with 1 slot and 0.0 MB")
    assert lines[9:] == ["on other machines the same directory is to be deleted by hand"]
    assert (await topics(app), await committed(app)) == before
    assert (app.state_dir / app.name / "0").is_dir()


async def test_it_does_what_it_said_and_the_second_time_there_is_nothing_to_do(
    app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await lived(app)
    await commit(app, group="somebody-else", words0=1)
    users = await topics(app) - set(app.internal)
    assert await run(app, execute=True) == ExitCode.OK

    assert printed(capsys)[-4:] == [
        f"deleted {app.state_dir / app.name}",
        f"set the offsets of {app.name}.words in 2 partitions",
        *(f"deleted topic {name}" for name in app.internal),
    ]
    async with asyncio.timeout(20):  # a broker may show a topic for a moment after it was deleted
        while await topics(app) != users:  # noqa: ASYNC110 - Kafka tells nobody
            await asyncio.sleep(0.05)
    assert await committed(app) == {".words-0": 0, ".words-1": 0, ".more-0": 0}
    assert await committed(app, "somebody-else") == {".words-0": 1}
    assert not (app.state_dir / app.name).exists()

    assert await run(app, execute=True) == ExitCode.OK
    assert printed(capsys) == [f"application {app.name}: 0 members", "there is nothing to do"]


async def test_an_application_that_never_ran_has_nothing_to_do(
    app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await app.make_inputs()
    await fill(app.server, f"{app.name}.words", 3)
    assert await run(app) == ExitCode.OK
    assert printed(capsys) == [f"application {app.name}: 0 members", "there is nothing to do"]


async def send(app: Application, topic: str, *times: int) -> None:
    """A record of each time (ms), in partition 0."""
    producer = AIOKafkaProducer(bootstrap_servers=app.server)
    await producer.start()
    try:
        for time in times:
            await producer.send_and_wait(topic, b"x", key=b"x", partition=0, timestamp_ms=time)
    finally:
        await producer.stop()


@pytest.mark.parametrize(
    ("to", "offsets"),
    [
        ("latest", {".words-0": 3, ".words-1": 0, ".more-0": 2}),
        ("2", {".words-0": 2, ".words-1": 0, ".more-0": 2}),
        ("2026-11-22T00:00:02+00:00", {".words-0": 1, ".words-1": 0, ".more-0": 1}),
        ("2026-11-22T01:00:04+01:00", {".words-0": 2, ".words-1": 0, ".more-0": 2}),
        ("2027-01-01T00:00Z", {".words-0": 3, ".words-1": 0, ".more-0": 2}),
        ("NAME.words=1,latest", {".words-0": 1, ".words-1": 0, ".more-0": 2}),
        ("NAME.words=latest", {".words-0": 3, ".words-1": 0}),
    ],
)
async def test_inputs_are_set_to_a_place(app: Application, to: str, offsets: dict[str, int]) -> None:
    day = round(datetime(2026, 11, 22, tzinfo=UTC).timestamp() * 1000)
    await app.make_inputs()
    await send(app, f"{app.name}.words", day + 1_000, day + 3_000, day + 5_000)
    await send(app, f"{app.name}.more", day, day + 3_000)
    await run(app, to=to.replace("NAME", app.name), execute=True)
    assert await committed(app) == offsets


async def test_it_refuses_while_an_instance_lives_and_names_it(
    app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await lived(app)
    before = await topics(app), await committed(app)
    consumer = AIOKafkaConsumer(
        f"{app.name}.words",
        bootstrap_servers=app.server,
        group_id=app.name,
        client_id="someone",
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        assert await run(app) == ExitCode.OK
        lines = printed(capsys)
        assert lines[0] == f"application {app.name}: 1 member"
        assert lines[-2] == "instances run: end them first, --execute refuses meanwhile"
        assert lines[-1].startswith("someone-")
        with pytest.raises(
            TryAgain, match=rf"^group {app.name} has 1 live member: someone-.*; nothing was changed on Kafka$"
        ):
            await run(app, execute=True)
    finally:
        await consumer.stop()
    assert (await topics(app), await committed(app)) == before
    assert (app.state_dir / app.name / "0").is_dir()


async def test_a_member_that_joins_after_the_plan_is_seen(app: Application) -> None:
    await app.make_inputs()
    await app.make_internal()
    before = await topics(app)
    async with open_admin(target(KafkaSettings(), (app.server,))) as admin:
        way = await survey(admin, build(app.loaded().settings), Aim(), stable=True)
        assert [topic.name for topic in way.internal] == app.internal
        consumer = AIOKafkaConsumer(f"{app.name}.words", bootstrap_servers=app.server, group_id=app.name)
        await consumer.start()
        try:
            with pytest.raises(
                TryAgain, match=rf"^group {app.name} has 1 live member: .*; nothing was changed on Kafka$"
            ):
                await anext(execute(admin, way))
        finally:
            await consumer.stop()
    assert await topics(app) == before


async def test_what_is_done_is_said_at_once(app: Application) -> None:
    """Whoever is interrupted knows how far it came; the next reset does the rest."""
    await lived(app)
    async with open_admin(target(KafkaSettings(), (app.server,))) as admin:
        way = await survey(admin, build(app.loaded().settings), Aim(), stable=True)
        steps = execute(admin, way)
        assert await anext(steps) == f"set the offsets of {app.name}.words in 2 partitions"
        assert set(app.internal) <= await topics(app)
        assert await anext(steps) == f"deleted topic {app.internal[0]}"
        await steps.aclose()
        assert app.internal[1] in await topics(app)
        rest = await survey(admin, build(app.loaded().settings), Aim(), stable=True)
        assert [done async for done in execute(admin, rest)][-1] == f"deleted topic {app.internal[1]}"


async def test_it_refuses_while_a_process_holds_local_state(
    app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await lived(app)
    before = await topics(app), await committed(app)
    with take_slot(app.state_dir, app.name) as slot:
        assert await run(app) == ExitCode.OK
        assert f"a process works with {slot.path}: end it first, --execute refuses meanwhile" in printed(capsys)
        with pytest.raises(TryAgain, match=rf"^a process works with the state in {slot.path}; end it first$"):
            await run(app, execute=True)
        assert slot.path.is_dir()
    assert (await topics(app), await committed(app)) == before


async def test_topics_of_an_older_topology_are_named_and_deleted_on_request(
    app: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    await app.make_inputs()
    older = f"{app.name}-older-changelog"
    await create_topic(app.server, older, 1)
    await run(app, execute=True)
    assert printed(capsys)[1:] == [
        "there is nothing to do",
        f"left alone: topic {older}, not of this topology; --also {older} deletes it, too",
    ]
    assert older in await topics(app)
    await run(app, also=older, execute=True)
    assert older not in await topics(app)
    capsys.readouterr()
    await run(app, also=older, execute=True)
    assert f"topic {older}: not there" in printed(capsys)


async def test_an_input_that_is_not_there_is_said(app: Application, capsys: pytest.CaptureFixture[str]) -> None:
    await create_topic(app.server, f"{app.name}.words", 1)
    await run(app)
    assert f"input {app.name}.more: not there" in printed(capsys)


def test_a_place_is_read_from_words() -> None:
    assert reset.parse_aim("earliest") == Aim()
    assert reset.parse_aim("latest") == Aim({}, Where("latest"))
    assert reset.parse_aim("a=7, b=latest ,earliest") == Aim({"a": Where("offset", 7), "b": Where("latest")})
    assert reset.parse_aim("1970-01-01T00:00:01.5Z") == Aim({}, Where("time", 1_500))
    assert reset.parse_aim("1969-12-31T23:59:59.999Z") == Aim({}, Where("time", 0))  # -1 would be the end


@pytest.mark.parametrize(
    ("to", "line"),
    [
        ("begin", "--to: 'begin' is no place; it takes earliest, latest, an offset or a time such as"),
        ("-5", "--to: '-5' is no place"),
        ("", "--to: is empty"),
        ("a=", "--to: '' is no place"),
        ("2026-11-22T20:00", "--to: '2026-11-22T20:00' has no time zone; add Z for UTC, or such as +01:00"),
        ("a=1,a=2", "--to: names 'a' twice"),
        ("1,2", "--to: has two places for the inputs that it does not name"),
    ],
)
def test_a_place_that_is_none_is_one_line_and_64(to: str, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["reset", f"--to={to}"], {}) == 64
    said = capsys.readouterr().err
    assert said.startswith(line)
    assert said.count("\n") == 1


async def test_a_topic_that_is_no_input_is_refused(app: Application) -> None:
    await app.make_inputs()
    with pytest.raises(
        UsageError, match=rf"^--to: 'orders' is no input .*; there are {app.name}.words, {app.name}.more$"
    ):
        await run(app, to="orders=latest")
    with pytest.raises(UsageError, match=r"^--also: '.*words' is not named like an internal topic of the application$"):
        await run(app, also=f"{app.name}.words")


async def test_a_topology_that_is_not_there_is_one_line(app: Application) -> None:
    loaded = app.loaded(APP_TOPOLOGY="no_such_module:topology")
    with pytest.raises(ConfigError, match=r"^APP_TOPOLOGY: there is no module no_such_module"):
        reset.run(loaded)
