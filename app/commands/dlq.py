"""`python -m app dlq [list | show | replay]`: the records that could not be handled, and their way back."""

import re
import sys
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from app.commands.check import fitting
from app.commands.topics import count
from app.commands.where import kafka_servers
from app.errors import ExitCode, UsageError
from app.kafka.admin import Admin, open_admin
from app.kafka.clients import Target, target
from app.kafka.cluster import TopicState, missing
from app.kafka.faults import printable
from app.kafka.letters import CUT, DeadLetter, Letters, open_letters
from app.kafka.replaying import Progress, Sent, Sources, already_sent, never, open_replay
from app.loop import run as run_loop
from app.settings import Loaded
from app.streams.model import TopicPartition
from app.streams.topology.names import name_fault

NEWEST: Final = 10
SHOWN_BYTES: Final = 4_096
CHUNK, CHUNK_BYTES = 5_000, 4 << 20
"""Records and bytes of one transaction; what is sent is looked through anew for each."""
Chosen = Mapping[TopicPartition, set[int]]
"""Offsets of the letters to be sent."""
_ACTIONS: Final = ("list", "show", "replay")


@dataclass(frozen=True, slots=True)
class Asked:
    """Which letters: None is any."""

    topic: str | None = None
    source: str | None = None
    reason: str | None = None
    place: tuple[int, int] | None = None
    """Partition and offset."""

    def takes(self, letter: DeadLetter) -> bool:
        if self.place is not None and self.place != (letter.place.partition, letter.offset):
            return False
        if self.source is not None and (letter.source is None or letter.source.topic != self.source):
            return False
        return self.reason in (None, letter.reason)


def run(
    loaded: Loaded,
    *,
    action: str | None = None,
    record: str | None = None,
    execute: bool = False,
    **filters: str | None,
) -> ExitCode:
    """`filters`: topic, source, reason."""
    action = action or "list"
    if action not in _ACTIONS:
        raise UsageError(f"{action[:40]!r}: no action of dlq", try_next=f"there are {', '.join(_ACTIONS)}")
    if execute and action != "replay":
        raise UsageError("--execute: belongs to replay")
    if record is None and action == "show":
        raise UsageError("show: needs a record, as PARTITION:OFFSET", try_next="python -m app dlq lists the newest")
    if record is not None and action == "list":
        raise UsageError("list: takes no record", try_next="show does")
    asked = _asked(record, Asked(filters.get("topic"), filters.get("source"), filters.get("reason")))
    if asked.topic is not None and (fault := name_fault("topic", asked.topic)) is not None:
        raise UsageError(fault)
    if action == "replay" and asked.place is not None and asked.topic is None:
        raise UsageError(f"replay: {record} may be of several topics", try_next="it is written TOPIC/PARTITION:OFFSET")
    run_loop(_run(loaded, action, asked, execute=execute))
    return ExitCode.OK


def _asked(record: str | None, asked: Asked) -> Asked:
    """Raises UsageError."""
    if record is None:
        return asked
    found = re.fullmatch(r"(?:([a-zA-Z0-9._-]+)/)?([0-9]{1,9}):([0-9]{1,18})", record)
    if found is None:
        raise UsageError(f"{record[:60]!r}: is no record", try_next="it is written [TOPIC/]PARTITION:OFFSET")
    if found[1] is not None and asked.topic not in (None, found[1]):
        raise UsageError(f"{record[:60]!r}: is not of --topic {asked.topic}")
    return Asked(found[1] or asked.topic, asked.source, asked.reason, (int(found[2]), int(found[3])))


async def _run(loaded: Loaded, action: str, asked: Asked, *, execute: bool) -> None:
    settings = loaded.settings
    async with kafka_servers(settings) as servers:
        wanted = target(settings.kafka, tuple(servers), loaded.files.get("kafka.oauth_token"))
        async with open_admin(wanted) as admin:
            names = (
                [settings.dead_letter_topic, settings.streams_dead_letter_topic]
                if asked.topic is None
                else [asked.topic]
            )
            cluster = await admin.describe(list(dict.fromkeys(names)))
            print(f"Kafka at {', '.join(servers)}, cluster {cluster.id}")
            found = False
            for name in dict.fromkeys(names):
                state = cluster.topics[name]
                if missing(state) and asked.topic is not None:
                    why = f"topic {name}: not there"
                    raise UsageError(why, try_next="without a topic, those of the settings are meant")
                if missing(state):
                    print(f"topic {state.name}: not there", flush=True)
                    continue
                admin.check_topic(state)
                if action == "list":
                    await _list(wanted, admin, state, asked)
                elif action == "show":
                    found |= await _show(wanted, state, asked)
                else:
                    found |= await _replay(wanted, admin, state, asked, execute=execute)
            if asked.place is not None and not found:
                where = "" if asked.topic is None else f"{asked.topic}/"
                raise UsageError(f"{where}{asked.place[0]}:{asked.place[1]}: there is no such dead letter")


def _print(lines: Iterable[str]) -> None:
    """What records say, on whatever terminal."""
    print(fitting("\n".join(lines), sys.stdout.encoding), flush=True)


async def _list(wanted: Target, admin: Admin, state: TopicState, asked: Asked) -> None:
    sent = await already_sent(admin, state.name)
    groups: Counter[tuple[str, str]] = Counter()
    newest: deque[DeadLetter] = deque()
    replayed = 0
    async with open_letters(wanted, state.name, state.partitions) as letters:
        async for letter in letters.read():
            if asked.takes(letter):
                source = "(no record)" if letter.source is None else printable(letter.source.topic)
                groups[source, printable(letter.reason)] += 1
                replayed += letter.offset in sent.get(letter.place, Sent())
                newest = deque(sorted([*newest, letter], key=lambda each: each.timestamp)[-NEWEST:])
    _print(listed(state.name, groups, newest, replayed))


def listed(
    topic: str, groups: Mapping[tuple[str, str], int], newest: Sequence[DeadLetter], replayed: int
) -> Iterator[str]:
    again = f", {replayed:,} of them replayed" if replayed else ""
    yield f"topic {topic}: {count(sum(groups.values()), 'dead letter')}{again}"
    if not groups:
        return
    rows = [("from", "reason", "letters"), *((name, why, f"{number:,}") for (name, why), number in _largest(groups))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for name, why, number in rows:
        yield f"  {name.ljust(widths[0])}  {why.ljust(widths[1])}  {number.rjust(widths[2])}"
    yield "newest:"
    for letter in reversed(newest):
        yield f"  {letter.name}  {_time(letter.timestamp)}  {printable(letter.origin)}  {_said(letter)}"


def _largest(groups: Mapping[tuple[str, str], int]) -> list[tuple[tuple[str, str], int]]:
    return sorted(groups.items(), key=lambda item: (-item[1], item[0]))


def _said(letter: DeadLetter) -> str:
    message = printable(letter.said.get("message", ""), 100)
    return f"{printable(letter.reason)}: {message}" if message else printable(letter.reason)


def _time(timestamp: int) -> str:
    try:
        return (
            datetime.fromtimestamp(timestamp / 1000, tz=UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        )
    except (ValueError, OverflowError, OSError):
        return f"{timestamp} ms"


async def _show(wanted: Target, state: TopicState, asked: Asked) -> bool:
    """Whether there is such a letter."""
    partition, offset = asked.place or (0, 0)
    place = TopicPartition(state.name, partition)
    if partition < state.partitions:
        async with open_letters(wanted, state.name, state.partitions) as letters:
            async for letter in letters.read({place: (offset, offset + 1)}):
                _print(shown(letter))
                return True
    if asked.topic is None:
        print(f"topic {state.name}: no dead letter {partition}:{offset}", flush=True)
    return False


def shown(letter: DeadLetter) -> Iterator[str]:
    yield f"dead letter {letter.name}"
    yield f"  from      {printable(letter.origin)}"
    yield f"  time      {_time(letter.timestamp)}"
    yield f"  reason    {printable(letter.reason)}"
    for name in ("exception", "message"):
        if letter.said.get(name):
            yield f"  {name:9} {printable(letter.said[name], 1_000)}"
    if letter.cut:
        lengths = [
            f"{name.removesuffix('.length')} {printable(size)}" for name, size in letter.said.items() if name in CUT
        ]
        yield f"  cut       it was too large; bytes it had: {', '.join(lengths)}"
    for name, data in letter.headers:
        yield f"  header    {printable(name)}: {_bytes(data)}"
    yield f"  key       {_bytes(letter.key)}"
    yield f"  value     {_bytes(letter.value)}"
    for line in letter.said.get("stacktrace", "").splitlines():
        yield f"  | {printable(line, 1_000)}"


def _bytes(data: bytes | None) -> str:
    """As text where it is some, else in hexadecimal digits; the first few thousand bytes."""
    if data is None:
        return "null"
    more = f" … ({len(data):,} bytes)" if len(data) > SHOWN_BYTES else ""
    text = data[:SHOWN_BYTES].decode("utf-8", "ignore" if more else "replace")
    if text.isprintable() and "\ufffd" not in text:
        return (text or "(empty)") + more
    return f"hex {data[:SHOWN_BYTES].hex(' ')}{more}"


@dataclass(slots=True)
class _Plan:
    letters: int = 0
    targets: Counter[str] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    """Why some are not sent → how many."""


async def _replay(wanted: Target, admin: Admin, state: TopicState, asked: Asked, *, execute: bool) -> bool:
    """Whether there are letters that were asked for."""
    if not execute:
        sent = await already_sent(admin, state.name)
        plan, _, _ = await _look(wanted, admin, state, asked, sent)
        _print(planned(state.name, plan))
        if plan.targets:
            print("nothing was sent: --execute sends them", flush=True)
        return plan.letters > 0
    async with open_replay(wanted, state.name) as replay:
        sent = await already_sent(admin, state.name)
        plan, progress, chosen = await _look(wanted, admin, state, asked, sent)
        _print(planned(state.name, plan))
        done = 0
        try:
            async with open_letters(wanted, state.name, state.partitions) as letters:
                async for chunk in _chunks(letters, chosen):
                    await replay.send(chunk, progress.marks(chunk))
                    done += len(chunk)
        finally:
            if done:  # also when it did not get to the end: what was sent stays sent
                print(f"replayed {count(done, 'dead letter')} of {state.name}", flush=True)
    return plan.letters > 0


async def _chunks(letters: Letters, chosen: Chosen) -> AsyncIterator[list[DeadLetter]]:
    """What goes in one transaction each."""
    chunk: list[DeadLetter] = []
    size = 0
    async for letter in letters.read({place: (min(each), max(each) + 1) for place, each in chosen.items()}):
        if letter.offset in chosen[letter.place]:
            chunk.append(letter)
            size += _size(letter)
            if len(chunk) >= CHUNK or size >= CHUNK_BYTES:
                yield chunk
                chunk, size = [], 0
    if chunk:
        yield chunk


def _size(letter: DeadLetter) -> int:
    return len(letter.key or b"") + len(letter.value or b"") + sum(len(data or b"") for _, data in letter.headers)


async def _look(
    wanted: Target, admin: Admin, state: TopicState, asked: Asked, sent: Mapping[TopicPartition, Sent]
) -> tuple[_Plan, Progress, Chosen]:
    """What is to be sent, and the state of everything that could be."""
    plan, chosen = _Plan(), dict[TopicPartition, set[int]]()
    sources = Sources(admin)
    async with open_letters(wanted, state.name, state.partitions) as letters:
        progress = Progress({place: end for place, (_, end) in letters.spans.items()})
        async for letter in letters.read():
            was_sent = letter.offset in sent.get(letter.place, Sent())
            why = never(letter)
            if why is None:
                progress.see(letter, sent=was_sent)
            if not asked.takes(letter):
                continue
            plan.letters += 1
            why = why or ("replayed before" if was_sent else None)
            source = letter.source
            if why is None and source is not None:
                why = await sources.refusal(source.topic)
            if why is not None:
                plan.left[why] += 1
            elif source is not None:
                plan.targets[source.topic] += 1
                chosen.setdefault(letter.place, set()).add(letter.offset)
    return plan, progress, chosen


def planned(topic: str, plan: _Plan) -> Iterator[str]:
    yield f"topic {topic}: {count(plan.letters, 'dead letter')}"
    yield from (f"  {number:,} left: {why}" for why, number in sorted(plan.left.items()))
    if not plan.targets:
        yield "  there is nothing to replay"
    for source, number in sorted(plan.targets.items()):
        yield f"  {number:,} to be sent to {source}, where everything that reads it gets them once more"
