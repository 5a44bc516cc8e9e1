"""The streams role: a member of the group for as long as it may, with what it holds there for everyone to see."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from app.errors import BrokerUnavailable
from app.kafka.failures import CLIENT_FAILED, describe, fatal
from app.kafka.membership import Assigned, Peer
from app.kafka.outcomes import TransactionFailed
from app.kafka.writing import RowTooLarge
from app.memory import give_back, settle
from app.settings.folders import state_home
from app.statistics import StreamsState, StreamsStatistics
from app.streams.errors import RecordError, StreamsError
from app.streams.model import TaskId
from app.streams.topology.description import describe as describe_topology
from app.worker.failures import StreamsFailed
from app.worker.held import HeldTask
from app.worker.identity import Identity, identified
from app.worker.reporting import report
from app.worker.states import States
from app.worker.stay import Employment, Stay
from app.worker.totals import Totals

log = logging.getLogger(__name__)

FIRST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
LOOK_EVERY = 0.05
"""Seconds between two looks at the state, for those who listen."""

StateListener = Callable[[StreamsState, StreamsState], None]

MENDABLE: tuple[type[Exception], ...] = (*CLIENT_FAILED, BrokerUnavailable, TransactionFailed)


class Worker:
    """`run` until `stop`. It satisfies `queries.Holding`."""

    def __init__(self, given: Employment) -> None:
        self.given = given
        self.topology = given.topology
        self.description = describe_topology(given.topology)
        self.paused = False
        self.totals = Totals()
        self.identity: Identity | None = None
        self.stay: Stay | None = None
        self._listeners: list[StateListener] = []
        self._stopped = asyncio.Event()
        self._told: StreamsState = "CREATED"
        self._ended = False
        self._failed = False

    def listen(self, listener: StateListener) -> None:
        """Call it with the old and the new state when that changes, on the event loop (KafkaStreams.StateListener)."""
        self._listeners.append(listener)

    async def run(self, stop: asyncio.Event) -> None:
        """Raises ServiceError; what another attempt may mend is tried again."""
        settings = self.given.settings
        directory = state_home(settings) if settings.store == "disk" else None
        self._stopped = stop
        settle()
        beside = [asyncio.create_task(work) for work in (self._tell_states(), give_back())]
        try:
            with identified(directory, settings.application_id) as self.identity:
                async with States(self.topology, self.identity.slot) as states:
                    await self._stays(states, self.identity, stop)
        except StreamsError as error:
            self._failed = True
            remedy = "mend the topology or make what it needs"
            if isinstance(error, RecordError | RowTooLarge):
                remedy = "mend the topology or the record"
                if settings.errors == "fail":
                    remedy += "; APP_STREAMS__ERRORS=dead_letter skips such records"
            raise StreamsFailed(f"streams: {error}", try_next=remedy) from error
        except Exception:
            self._failed = True
            raise
        finally:
            self._ended = True
            self.stay = None
            for task in beside:
                task.cancel()
            self._tell()

    async def _stays(self, states: States, identity: Identity, stop: asyncio.Event) -> None:
        pause = FIRST_PAUSE
        while await self.given.link.up_before(stop):
            began = time.monotonic()
            try:
                internal = await self.given.prepare()
                self.stay = Stay(self.given, identity, states, internal, self.totals)
                await self.stay.work(stop, lambda: self.paused)
            except MENDABLE as error:
                self._note(error)
                pause = FIRST_PAUSE if time.monotonic() - began > LONGEST_PAUSE else pause
                with suppress(TimeoutError):
                    async with asyncio.timeout(pause):
                        await stop.wait()
                pause = min(2 * pause, LONGEST_PAUSE)
            finally:
                self.stay = None

    async def _tell_states(self) -> None:
        while True:
            self._tell()
            await asyncio.sleep(LOOK_EVERY)

    def _tell(self) -> None:
        before, self._told = self._told, self.state
        if before != self._told:
            log.info("streams: %s, was %s", self._told, before)
            for listener in self._listeners:
                try:
                    listener(before, self._told)
                except Exception:
                    log.exception("a listener failed at %s", self._told)

    def _note(self, error: Exception) -> None:
        self.totals.failed(error)
        refused = fatal(error, who="streams", what=f"work in group {self.given.settings.application_id}")
        if refused is not None:
            raise refused from error
        self.given.link.doubt()
        log.warning("streams join anew: %s", describe(error))

    # what others may ask

    @property
    def state(self) -> StreamsState:
        if self._failed:
            return "ERROR"
        if self._ended:
            return "NOT_RUNNING"
        if self.identity is None:
            return "CREATED"
        if self._stopped.is_set():
            return "PENDING_SHUTDOWN"
        return "REBALANCING" if self.assigned is None or self.restoring else "RUNNING"

    @property
    def assigned(self) -> Assigned | None:
        """The newest assignment; None while there is none."""
        return None if self.stay is None or self.stay.group is None else self.stay.group.assigned

    @property
    def restoring(self) -> int:
        """Active tasks that do not run yet, be they opened or not."""
        tasks = None if self.stay is None else self.stay.tasks
        active = () if self.assigned is None else self.assigned.duties.active
        return sum(tasks is None or not tasks.runs(task) for task in active)

    @property
    def self_process(self) -> str:
        return "" if self.identity is None else str(self.identity.instance)

    def held(self) -> Mapping[TaskId, HeldTask]:
        tasks = None if self.stay is None else self.stay.tasks
        return {} if tasks is None else tasks.held

    def peers(self) -> Mapping[str, Peer]:
        return {} if self.assigned is None else self.assigned.peers

    def global_stores(self) -> Mapping[str, Any]:
        tables = None if self.stay is None else self.stay.tables
        return {} if tables is None or not tables.complete else tables.stores

    def partitions(self, topic: str) -> int | None:
        return None if self.stay is None else self.stay.partitions(topic)

    def pause(self) -> None:
        self.paused = True

    def resume(self) -> None:
        self.paused = False

    def not_ready(self) -> Iterator[str]:
        """Why it cannot answer, or does not process."""
        if self.restoring and self.assigned is not None:
            yield f"streams: restoring {self.restoring} of {len(self.assigned.duties.active)} tasks"
        elif self.state != "RUNNING":
            group = None if self.stay is None else self.stay.group
            if group is not None and group.waiting:
                yield f"streams: {group.waiting}"
            yield f"streams: {self.state.lower().replace('_', ' ')}"

    def statistics(self) -> StreamsStatistics:
        return report(self)
