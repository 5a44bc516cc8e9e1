"""One stay in the group, from joining to leaving. It outlives its producers, so a failed transaction moves no task."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from app.errors import cause_of
from app.kafka.at_least_once import at_least_once_producer
from app.kafka.changelogs import ChangelogReader, changelog_reader
from app.kafka.failpoints import Failpoint, passes
from app.kafka.failures import describe
from app.kafka.internal_topics import Internal
from app.kafka.link import Link
from app.kafka.membership import Membership, MembershipOptions, Standing, membership
from app.kafka.outcomes import TransactionFailed
from app.kafka.partition_counts import heard, partition_count
from app.kafka.purging import Purger
from app.kafka.stable_offsets import stable_offsets
from app.kafka.transactions import TransactionOptions, transactional_producer
from app.kafka.transport import BATCH_BYTES, Transport
from app.kafka.writing import RowWriter, UnknownTopic
from app.settings.model import StreamsSettings
from app.streams.assignment import ACCEPTABLE_LAG
from app.streams.model import TopicPartition
from app.streams.topology.nodes import Reset, SourceNode
from app.streams.topology.plan import topics_of
from app.streams.topology.topology import Topology
from app.worker.clock import now_ms
from app.worker.committing import Committer
from app.worker.globals import GlobalTables
from app.worker.held import TaskPhase
from app.worker.identity import Identity
from app.worker.life import Life, LifeOptions, MembershipLost, Rebalance
from app.worker.refusals import refusals
from app.worker.restoring import Restorer
from app.worker.states import States
from app.worker.takeover import Means
from app.worker.tasks import Surroundings, Tasks
from app.worker.totals import Totals

log = logging.getLogger(__name__)

PAUSE_AFTER_FAILURE = 0.05
CLEAN_EVERY = 60.0
LIMITS_WITHIN = 5.0
WARN_AFTER = 3
"""Failures in a row from which on a pause grows: the first ones are the ordinary course of a rebalance."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Employment:
    """What the worker is given. prepare: makes or compares the topics. options: of every client."""

    topology: Topology
    settings: StreamsSettings
    options: Mapping[str, Any]
    prepare: Callable[[], Awaitable[Internal]]
    purger: Purger
    link: Link
    address: str | None = None
    failpoint: Failpoint = passes


class Stay:
    """`work` until stopped. Raises what the next stay may mend (KafkaError, …), and ServiceError."""

    def __init__(
        self, given: Employment, identity: Identity, states: States, internal: Internal, totals: Totals
    ) -> None:
        self.given = given
        self.internal = internal
        self._identity = identity
        self._states = states
        self._totals = totals
        self._rebalance = Rebalance()
        self._transport_now: Transport | None = None
        self._named: dict[str, int] = {}
        """Partitions of topics that only records name, and of those that were seen to grow."""
        self.tables: GlobalTables | None = None
        self.tasks: Tasks | None = None
        self.group: Membership | None = None
        self.restorer: Restorer | None = None
        self.writer: RowWriter | None = None

    async def work(self, stop: asyncio.Event, paused: Callable[[], bool]) -> None:
        given, committed = self.given, self.given.settings.exactly_once
        options = dict(given.options)
        async with (
            changelog_reader(options, committed=committed) as reader,
            GlobalTables(given.topology, options, self.partitions, exactly_once=committed) as tables,
        ):
            self.tables = tables
            await self._states.awaken(self.internal.topic_ids, reader.ends)
            await tables.load()
            self.tasks = Tasks(
                Surroundings(given.topology, self._states, self.partitions, self.internal.topic_ids, tables.stores),
                self._totals,
            )
            self.restorer = Restorer(reader, self._states, limits=self._committed)
            try:
                async with asyncio.TaskGroup() as beside:
                    background = [
                        beside.create_task(work)
                        for work in (tables.run(), self.restorer.run(), given.purger.run(), self._clean())
                    ]
                    async with membership(
                        options,
                        given.topology,
                        self._membership_options(),
                        standing=self._standing,
                        revoked=self._rebalance.begin,
                    ) as self.group:
                        await self._lives(reader, stop, paused)
                    for each in background:
                        each.cancel()
            except BaseExceptionGroup as group:
                raise cause_of(group) from group
            finally:
                await self.tasks.close_all()

    async def _clean(self) -> None:
        """State of tasks that have been elsewhere for long."""
        while True:
            await asyncio.sleep(CLEAN_EVERY)
            assigned = None if self.group is None else self.group.assigned
            if self.tasks is not None and assigned is not None:
                await self._states.clean({*self.tasks.held, *assigned.duties.active})

    async def _committed(self, sources: Collection[TopicPartition]) -> Mapping[TopicPartition, int]:
        """How far source topics are processed."""
        if self._transport_now is None:
            return {}
        found = await stable_offsets(
            self._transport_now.client, self.given.settings.application_id, sources, within=LIMITS_WITHIN
        )
        return {TopicPartition(*where): at.offset for where, at in found.items()}

    async def _lives(self, reader: ChangelogReader, stop: asyncio.Event, paused: Callable[[], bool]) -> None:
        """One producer after the other."""
        failures = 0
        while not stop.is_set():
            commits = self._totals.commits.count
            try:
                await self._live(reader, stop, paused)
            except (TransactionFailed, MembershipLost) as error:
                failures = failures + 1 if self._totals.commits.count == commits else 0
                self._totals.failed(error)
                level = logging.WARNING if failures >= WARN_AFTER else logging.INFO
                log.log(level, "the transaction under way is given up and done again: %s", describe(error))
                self._forget()
                await asyncio.sleep(PAUSE_AFTER_FAILURE * min(failures, 20))
            except UnknownTopic as unknown:
                await self._look_for(unknown)
                self._forget()

    async def _look_for(self, unknown: UnknownTopic) -> None:
        """A record named a topic that the topology does not: where it is there, what was written meanwhile is done
        again, once for each such topic. Raises UnknownTopic."""
        topic = unknown.topic
        count = None if self.group is None else await partition_count(self.group.consumer, topic)
        if count is None or count == self.partitions(topic):
            raise unknown
        log.info("topic %s has %d partitions; the transaction under way is done again", topic, count)
        self._named[topic] = count

    async def _live(self, reader: ChangelogReader, stop: asyncio.Event, paused: Callable[[], bool]) -> None:
        given, group, tasks, restorer = self.given, self.group, self.tasks, self.restorer
        if group is None or tasks is None or restorer is None:
            raise AssertionError("a life before its stay")
        settings = given.settings
        async with self._transport(group) as transport:
            self._transport_now = transport
            self._totals.producers += 1
            writer = self.writer = RowWriter(
                transport,
                self.partitions,
                refused=refusals(given.topology),
                limits=self.internal.limits.get,
            )
            means = Means(
                group,
                transport,
                reader,
                restorer,
                self._states,
                now_ms,
                self._reset_rule,
                settings.exactly_once,
                settings.transaction_timeout_ms,
            )
            committer = Committer(transport, writer, self._totals, given.purger.note)
            options = LifeOptions(settings.commit_every_ms, settings.max_overlay_rows, ACCEPTABLE_LAG)
            life = Life(tasks, means, committer, self._rebalance, options)
            try:
                await life.run(stop, paused)
            except BaseExceptionGroup as errors:
                raise cause_of(errors) from errors
            finally:
                self._transport_now = None

    def _forget(self) -> None:
        """Nothing of the failed transaction is left: new tasks over the rows that are committed."""
        if self.tasks is None or self.restorer is None:
            return
        for held in list(self.tasks.held.values()):
            self.restorer.stop(held.id)
            self.tasks.rebuild(held)
        self._rebalance.lost = False

    @asynccontextmanager
    async def _transport(self, group: Membership) -> AsyncIterator[Transport]:
        given, settings = self.given, self.given.settings
        if settings.exactly_once:
            transaction = TransactionOptions(
                self._identity.transactional_id(settings.application_id),
                settings.transaction_timeout_ms,
                failpoint=given.failpoint,
            )
            async with transactional_producer(given.options, transaction) as producer:
                yield producer
        else:
            async with at_least_once_producer(
                given.options,
                batch_bytes=BATCH_BYTES,
                compression=None,
                within_ms=settings.transaction_timeout_ms,
                commit_offsets=group.commit_offsets,
            ) as sender:
                yield sender

    def _membership_options(self) -> MembershipOptions:
        settings, identity = self.given.settings, self._identity
        return MembershipOptions(
            group=settings.application_id,
            process=str(identity.instance),
            transactional_id=identity.transactional_id(settings.application_id) if settings.exactly_once else None,
            address=self.given.address,
            instance_id=settings.instance_id,
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_every_ms,
            isolation_level="read_committed" if settings.exactly_once else "read_uncommitted",
            standbys=settings.standbys,
            found=self.internal.counts,
        )

    def _standing(self) -> Standing:
        """What this process says of itself when it joins."""
        running, lags = set(), {}
        if self.tasks is None or self.restorer is None:
            return Standing(frozenset(), {})
        for held in self.tasks.held.values():
            lag = self.restorer.lag(held.id)
            if held.phase is TaskPhase.RUNNING or (held.phase is TaskPhase.RESTORING and (lag or 0) <= ACCEPTABLE_LAG):
                running.add(held.id)
                lags[held.id] = 0
            elif lag is not None:
                lags[held.id] = lag
        for task, lag in self._states.left().items():
            lags.setdefault(task, lag)
        return Standing(frozenset(running), lags)

    def partitions(self, topic: str) -> int | None:
        """How many a topic has, as far as anyone told us. One that is only written may grow while we are here, and its
        producer hears of it; of those that are read the group has to say."""
        assigned = None if self.group is None else self.group.assigned
        found = None if assigned is None else assigned.counts.get(topic)
        known = self._named.get(topic) or found or self.internal.counts.get(topic)
        transport = None if found else self._transport_now
        if known and transport is not None and (now := heard(transport.client, topic)) > known:
            log.info("topic %s has %d partitions now, %d before", topic, now, known)
            self._named[topic] = known = now
        return known

    def _reset_rule(self, source: TopicPartition) -> Reset | int | None:
        topology = self.given.topology
        for node in topology.nodes.values():
            if isinstance(node, SourceNode) and source.topic in topics_of(topology, node, self.internal.counts):
                return node.reset
        return None
