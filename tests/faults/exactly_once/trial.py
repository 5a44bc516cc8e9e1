"""One trial: instances work on numbered inputs while a plan of faults runs; then everything written is judged."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Protocol

from aiokafka.errors import KafkaError

from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.findings import Finding, summary
from tests.faults.exactly_once.inputs import Numbering
from tests.faults.exactly_once.instances import SOUND, Application, Instance, Instances, running
from tests.faults.exactly_once.oracle import Verdict, judge, topics_to_read
from tests.faults.exactly_once.reader import Reader, reading
from tests.faults.exactly_once.schedule import INSTANCES, Fault, Kind
from tests.faults.exactly_once.stores import judge_stores
from tests.faults.exactly_once.writer import Writer

PROGRESS_WITHIN_S: Final = 90.0
DRAINED_WITHIN_S: Final = 120.0
REACHED_WITHIN_S: Final = 60.0
"""By an instance that is to stop at a step; it may have to wait for the end of a session before it has work."""
ASK_EVERY_S: Final = 0.1
SETTLED_WITHIN_S: Final = 60.0
WRITTEN_WITHIN_S: Final = 90.0
"""By the writer, what it has begun: longer than its requests may take."""
EMIT_EVERY_S: Final = 1.2
"""A little more than the wall-clock interval at which final results are handed on."""


class BreakableBroker(Protocol):
    @property
    def address(self) -> str: ...
    def restart(self) -> None:
        """kill -9 and start; blocks."""


@dataclass(frozen=True)
class Terms:
    """rate: records a second of each input. faults: of the plan. fault, injections: of every life of every instance.
    lasts: seconds of work after the plan."""

    seed: int
    faults: Sequence[Fault] = ()
    rate: int = 300
    instances: int = INSTANCES
    exactly_once: bool = True
    commit_ms: int = 150
    standbys: int = 0
    own_state: bool = True
    on_disk: bool = True
    static: bool = True
    fault: str = SOUND
    injections: tuple[str, ...] = ()
    lasts: float = 0.0
    more: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Outcome:
    """verdict: None of a trial that got stuck. problems: other than findings: ends nobody asked for, tracebacks, no
    progress, offsets that are not there. playing: seconds from the first fault to the end of the last."""

    terms: Terms
    names: of.Names
    verdict: Verdict | None
    problems: tuple[str, ...]
    seconds: float
    playing: float
    joins: Sequence[float] = ()
    leaves: Sequence[float] = ()
    """Seconds from a start, or a SIGTERM, until the group had come to rest, where that was waited for."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        return () if self.verdict is None else self.verdict.findings

    @property
    def passed(self) -> bool:
        return self.verdict is not None and not self.findings and not self.problems

    def __str__(self) -> str:
        kinds = Counter(fault.kind.value for fault in self.terms.faults)
        what = ", ".join(f"{count} {kind}" for kind, count in kinds.items()) or "no faults"
        what += f" within {self.playing:.0f} s" if kinds else ""
        for name, times in (("joins", self.joins), ("leaves", self.leaves)):
            what += f", {name} {min(times):.1f} to {max(times):.1f} s" if times else ""
        what += ", judged"
        if self.verdict is None:
            return "\n".join([f"{what} after {self.seconds:.0f} s: STUCK, nothing can be judged", *self.problems])
        compared = f"{self.verdict.inputs} inputs, {self.verdict.compared} outputs, {self.verdict.kept} rows on disk"
        first = f"{what} after {self.seconds:.0f} s: {summary(self.findings)} ({compared})"
        examples = [str(finding) for finding in self.findings[:6]]
        return "\n".join([first, *examples, *self.problems])


class Stuck(Exception):
    """Nothing moves any more."""


class Trial:
    """`run` plays the plan; `conclude` lets everything come to its end and judges it."""

    def __init__(self, terms: Terms, instances: Instances, reader: Reader, writer: Writer) -> None:
        self.terms = terms
        self.instances = instances
        self.names = instances.application.names
        self._reader = reader
        self._writer = writer
        self._inputs = {self.names.topic(side): of.PARTITIONS for side in of.INPUTS}
        self._echo = {self.names.topic(of.ECHO): of.PARTITIONS}
        self._seen = 0
        self.playing = 0.0
        self.joins: list[float] = []
        self.leaves: list[float] = []
        self.problems: list[str] = []

    async def run(self, broker: BreakableBroker | None) -> None:
        writing_ends = asyncio.Event()
        writing = asyncio.create_task(self._writer.run(writing_ends))
        try:
            await self._work(broker)
        finally:
            writing_ends.set()
            await asyncio.wait({writing}, timeout=WRITTEN_WITHIN_S)
            written = writing.done() or not writing.cancel()
        if not written:
            raise Stuck("the writer does not come to its end")
        writing.result()

    async def _work(self, broker: BreakableBroker | None) -> None:
        await self.progress()
        began = time.monotonic()
        for fault in self.terms.faults:
            if fault.patient:
                await self.progress()
            await asyncio.sleep(fault.after)
            await self._play(fault, broker)
            self.instances.check()
            self.playing = time.monotonic() - began
        for number in range(self.instances.size):
            await self.instances[number].start()
        await asyncio.sleep(self.terms.lasts)
        await self.progress()

    async def conclude(self) -> Verdict:
        """Windows are closed twice, a while apart: at most once a second final results are handed on."""
        await self._until(self._drained, DRAINED_WITHIN_S, "the inputs are not worked on to their end")
        for _ in range(2):
            await asyncio.sleep(EMIT_EVERY_S)
            await self._writer.close_windows()
            await self._until(self._drained, DRAINED_WITHIN_S, "the inputs are not worked on to their end")
        self.instances.check()
        await self.instances.term()
        await self._nothing_is_open()
        return await self.judge()

    async def judge(self) -> Verdict:
        logs = await self._reader.read(topics_to_read(self.names))
        verdict = judge(self.names, logs, exactly_once=self.terms.exactly_once)
        if not (self.terms.exactly_once and self.terms.on_disk):
            return verdict
        numbers = [instance.number for instance in self.instances.all]
        folders = {self.instances.application.state_dir(number) for number in numbers}
        findings, kept = await judge_stores(self.names, sorted(folders), logs)
        return replace(verdict, findings=(*verdict.findings, *findings), kept=kept)

    async def progress(self) -> None:
        """Something has been committed since we last looked."""
        await self._until(self._moved, PROGRESS_WITHIN_S, "nothing is committed any more")

    async def _moved(self) -> bool:
        seen = sum((await self._reader.ends(self._echo)).values())
        moved, self._seen = seen > self._seen, max(seen, self._seen)
        return moved

    async def _drained(self) -> bool:
        """The committed offsets are the ends of the inputs, and nothing lies behind them in the repartition topic."""
        committed = await self._reader.committed(self.names.application)
        ends = await self._reader.ends(self._inputs)
        if any(committed.get(partition, 0) != end for partition, end in ends.items() if end):
            return False
        between = {self.names.repartition: of.GROUP_PARTITIONS}
        return not (await self._reader.read(between, committed)).count(between)

    async def lags(self) -> list[str]:
        """Partitions of the inputs, and of what lies between, that are not worked on to their end."""
        try:
            committed = await self._reader.committed(self.names.application)
            ends = await self._reader.ends(self._inputs | {self.names.repartition: of.GROUP_PARTITIONS})
        except (KafkaError, TimeoutError) as error:
            return [f"lags are not known: {error!r}"]
        lines = [
            f"{topic}-{number}: committed {committed.get((topic, number))} of {end}"
            for (topic, number), end in sorted(ends.items())
        ]
        return [line for line, (at, end) in zip(lines, sorted(ends.items()), strict=True) if committed.get(at) != end]

    async def _nothing_is_open(self) -> None:
        topics = topics_to_read(self.names)
        settled, written = await self._reader.ends(topics), await self._reader.ends(topics, open_too=True)
        self.problems += [
            f"a transaction is left open in {topic}-{number}: {settled[topic, number]} of {end} are settled"
            for (topic, number), end in written.items()
            if settled[topic, number] < end
        ]
        # A static member keeps its place until its session ends.
        members = (await self._reader.standing(self.names.application)).members
        if not self.terms.static and members:
            self.problems.append(f"{len(members)} members are still in the group after all have ended")

    async def _play(self, fault: Fault, broker: BreakableBroker | None) -> None:
        instance = self.instances[fault.instance]
        match fault.kind:
            case Kind.KILL | Kind.TERM:
                await (instance.kill() if fault.kind is Kind.KILL else instance.term())
                await asyncio.sleep(fault.lasts)
                await instance.start()
            case Kind.ZOMBIE:
                instance.freeze()
                await asyncio.sleep(fault.lasts)
                instance.thaw()
            case Kind.CRASH:
                await instance.kill()
                await instance.start(fault.injection)
                await self._reached(fault, instance.wait(REACHED_WITHIN_S))
                await asyncio.sleep(fault.lasts)
                if fault.patient:
                    await instance.start()
            case Kind.FREEZE:
                await instance.kill()
                await instance.start(fault.injection)
                await self._reached(fault, instance.until_frozen(REACHED_WITHIN_S))
                await asyncio.sleep(fault.lasts)
                instance.thaw()
            case Kind.REBALANCE:
                if fault.settles:
                    await self._settled_rebalance(instance)
                else:
                    await (instance.term() if instance.runs else instance.start())
            case Kind.BROKER:
                if broker is None:
                    raise ValueError("no broker of the trial's own that may be killed")
                await asyncio.to_thread(broker.restart)

    async def _settled_rebalance(self, extra: Instance) -> None:
        before = await self._reader.standing(self.names.application)
        times, began = self.leaves if extra.runs else self.joins, time.monotonic()

        async def settled() -> bool:
            now = await self._reader.standing(self.names.application)
            return now.stable and now.members != before.members

        await (extra.term() if extra.runs else extra.start())
        await self._until(settled, SETTLED_WITHIN_S, "the group does not come to rest with other members")
        times.append(time.monotonic() - began)

    async def _reached(self, fault: Fault, reaching: Awaitable[object]) -> None:
        try:
            await reaching
        except TimeoutError as error:
            raise Stuck(f"{fault.injection} is not reached by instance {fault.instance}") from error

    async def _until(self, holds: Callable[[], Awaitable[bool]], within: float, otherwise: str) -> None:
        deadline = time.monotonic() + within
        while True:
            try:
                if await holds():
                    return
            except (KafkaError, TimeoutError):
                # The broker may be away just now; that it stays away is seen by the deadline.
                pass
            self.instances.check()
            if time.monotonic() > deadline:
                raise Stuck(f"{otherwise}, after {within:.0f} s")
            await asyncio.sleep(ASK_EVERY_S)


async def attempt(server: str, folder: Path, terms: Terms, broker: BreakableBroker | None = None) -> Outcome:
    """Topics, group and state are the trial's own. A trial that gets stuck is not judged."""
    began = time.monotonic()
    names = of.Names(f"eo-{terms.seed}-{uuid.uuid4().hex[:6]}")
    application = Application(
        server,
        names,
        folder,
        exactly_once=terms.exactly_once,
        commit_ms=terms.commit_ms,
        standbys=terms.standbys,
        own_state=terms.own_state,
        on_disk=terms.on_disk,
        static=terms.static,
        fault=terms.fault,
        injections=terms.injections,
        more=terms.more,
    )
    folder.mkdir(parents=True, exist_ok=True)
    writer = Writer(server, names, Numbering(terms.seed, terms.rate))
    async with reading(server) as reader:
        await reader.create(_own_topics(names))
        async with running(application, terms.instances) as instances:
            trial = Trial(terms, instances, reader, writer)
            try:
                await trial.run(broker)
                verdict: Verdict | None = await trial.conclude()
            except (Stuck, KafkaError, TimeoutError) as error:
                tails = [f"{instance.log.name} ends: {instance.tail()}" for instance in instances.all]
                trial.problems += [str(error) or repr(error), *await trial.lags(), *tails]
                verdict = None
            problems = (*trial.problems, *instances.faults())
    return Outcome(terms, names, verdict, problems, time.monotonic() - began, trial.playing, trial.joins, trial.leaves)


async def clear(server: str, names: of.Names) -> None:
    """The topics of a trial that nobody has to look at again: disks are finite."""
    async with reading(server) as reader:
        await reader.delete(topics_to_read(names))


def _own_topics(names: of.Names) -> dict[str, int]:
    """Inputs and outputs; internal topics are made by the application."""
    wide = dict.fromkeys(map(names.topic, (*of.INPUTS, *of.KEY_OUTPUTS)), of.PARTITIONS)
    return wide | dict.fromkeys(map(names.topic, of.GROUP_OUTPUTS), of.GROUP_PARTITIONS)
