"""`python -m app reset`: the stream topology begins anew; what it would do, and with --execute it does it."""

import re
from collections.abc import Collection, Iterator
from datetime import datetime

from app.commands.topics import count
from app.commands.where import kafka_servers
from app.errors import ExitCode, UsageError
from app.kafka.admin import open_admin
from app.kafka.clients import target
from app.kafka.resetting import Aim, Way, Where, named_like_internal, refuse_members, survey
from app.kafka.resetting import execute as walk
from app.loop import run as run_loop
from app.settings import Loaded
from app.settings.folders import state_home
from app.state.clearing import LocalState, clear, local_state
from app.streams import Topology
from app.topologies import build

_FORMS = "it takes earliest, latest, an offset or a time such as 2026-11-22T20:00Z, each also as TOPIC=…"


def run(loaded: Loaded, *, to: str | None = None, also: str | None = None, execute: bool = False) -> ExitCode:
    aim = parse_aim(to or "earliest")
    topology = build(loaded.settings)
    further = [name for entry in (also or "").split(",") if (name := entry.strip())]
    for name in further:
        if not named_like_internal(name, topology):
            raise UsageError(f"--also: {name[:249]!r} is not named like an internal topic of the application")
    run_loop(_run(loaded, topology, aim, further, execute=execute))
    return ExitCode.OK


def parse_aim(text: str) -> Aim:
    """`latest`, `orders=100,latest`. Raises UsageError."""
    topics: dict[str, Where] = {}
    others: list[Where] = []
    for part in text.split(","):
        topic, separator, place = part.strip().rpartition("=")
        where = _where(place.strip())
        if not separator:
            others.append(where)
        elif topic in topics:
            raise UsageError(f"--to: names {topic[:249]!r} twice")
        else:
            topics[topic] = where
    if len(others) > 1:
        raise UsageError("--to: has two places for the inputs that it does not name")
    return Aim(topics, *others)


def _where(text: str) -> Where:
    if text in ("earliest", "latest"):
        return Where("earliest" if text == "earliest" else "latest")
    if re.fullmatch(r"[0-9]{1,18}", text):
        return Where("offset", int(text))
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"--to: {text[:60]!r} is no place", try_next=_FORMS) from None
    if time.tzinfo is None:
        raise UsageError(f"--to: {text!r} has no time zone", try_next="add Z for UTC, or such as +01:00")
    # No record is older than 1970; below it Kafka has other meanings: -1 is the end.
    return Where("time", max(0, round(time.timestamp() * 1000)))


async def _run(loaded: Loaded, topology: Topology, aim: Aim, also: Collection[str], *, execute: bool) -> None:
    settings = loaded.settings
    async with kafka_servers(settings) as servers:
        wanted = target(settings.kafka, tuple(servers), loaded.files.get("kafka.oauth_token"))
        async with open_admin(wanted) as admin:
            way = await survey(admin, topology, aim, also=also, stable=execute)
            _check_names(way, aim)
            state = local_state(state_home(settings.streams), settings.streams.application_id)
            print(f"Kafka at {', '.join(servers)}, cluster {way.cluster.id}")
            print("\n".join(planned(way, state)), flush=True)
            if not execute or (way.done and state is None):
                return
            refuse_members(way.group)
            if state is not None:
                # First, as it refuses while a process holds it, one that has not joined yet, too.
                clear(state)
                print(f"deleted {state.path}", flush=True)
            async for done in walk(admin, way):
                print(done, flush=True)


def _check_names(way: Way, aim: Aim) -> None:
    for topic in aim.topics:
        if topic not in way.inputs:
            known = f"there are {', '.join(way.inputs)}"
            raise UsageError(f"--to: {topic[:249]!r} is no input of the topology", try_next=known)


def planned(way: Way, state: LocalState | None) -> Iterator[str]:
    """The way as a table, and what stands against it."""
    yield f"application {way.group.name}: {count(len(way.group.members), 'member')}"
    for topic in way.absent:
        yield f"{'input' if topic in way.inputs else 'topic'} {topic}: not there"
    if way.done and state is None:
        yield "there is nothing to do"
    else:
        yield from _table(way)
        yield from _deleted(way, state)
    for name in way.strange:
        yield f"left alone: topic {name}, not of this topology; --also {name} deletes it, too"
    if way.group.members:
        yield "instances run: end them first, --execute refuses meanwhile"
        yield from (f"  {member.id} at {member.host.removeprefix('/')}" for member in way.group.members)
    if state is not None and state.held:
        yield f"a process works with {state.held[0]}: end it first, --execute refuses meanwhile"


def _table(way: Way) -> Iterator[str]:
    if not way.moves:
        return
    rows = [("input", "partition", "first", "end", "committed", "new")]
    for move in way.moves:
        committed = "none" if move.committed is None else f"{move.committed}"
        rows.append((move.topic, f"{move.partition}", f"{move.first}", f"{move.end}", committed, f"{move.target}"))
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    yield "offsets to be set:"
    for topic, *numbers in rows:
        cells = [topic.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(numbers, widths[1:], strict=True))]
        yield f"  {'  '.join(cells)}"


def _deleted(way: Way, state: LocalState | None) -> Iterator[str]:
    if way.internal or state is not None:
        yield "to be deleted:"
    for topic in way.internal:
        yield f"  topic {topic.name} with {count(topic.partitions, 'partition')} and {count(topic.records, 'record')}"
    if state is not None:
        yield f"  {state.path} with {count(state.slots, 'slot')} and {state.bytes / 1_000_000:,.1f} MB"
        yield "on other machines the same directory is to be deleted by hand"
