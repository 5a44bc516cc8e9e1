"""Membership of a group that shares tasks: what is told of us, what we are told, and whether it still holds.

aiokafka rejoins in the background whenever the group changes. The listener here only records; whoever runs the tasks
looks at `epoch` and `assigned`, and acts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import asynccontextmanager, suppress
from typing import Any

from aiokafka import ConsumerRebalanceListener
from aiokafka.errors import KafkaError

from app.errors import BrokerUnavailable, ConfigError, TryAgain
from app.kafka.assignor import Hooks, StreamsAssignor
from app.kafka.closing import close
from app.kafka.compat import FencedInstanceIdError, group_metadata
from app.kafka.compat_group import (
    gate,
    go_on,
    group_client,
    is_member,
    joining,
    leave,
    next_trouble,
    on_heartbeat,
    place,
    refresh_metadata,
    request_rejoin,
    subscribe,
)
from app.kafka.failures import describe
from app.kafka.fetching import row_consumer
from app.kafka.generation import Assigned, Peer, Standing, follows, peer_of
from app.kafka.group_metadata import GroupMetadata
from app.kafka.group_options import MembershipOptions, obstacle, refusal
from app.kafka.leading import Rules
from app.kafka.offset_commits import commit_offsets
from app.kafka.outcomes import Fenced, root_cause
from app.kafka.predecessors import remove_predecessors
from app.kafka.presence import Presence
from app.kafka.rejoining import Rejoining
from app.kafka.roll import Roll
from app.kafka.user_data import (
    VERSION,
    Assignment,
    Subscription,
    Unreadable,
    duties_of,
    lags_as_text,
    names_of,
)
from app.streams.model import Offset, TopicPartition
from app.streams.topology.tasks import has_patterns, matching_topics, named_topics, task_partitions, topology_digest
from app.streams.topology.topology import Topology

log = logging.getLogger(__name__)

PREDECESSORS_WITHIN = 5.0
CLOSE_WITHIN = 2.0
LEAVE_WITHIN = 0.5
TROUBLE_PAUSE = 1.0
COMMIT_WITHIN = 10.0
TICK = 1.0
"""Seconds between two looks at whether the others can still take us for a member, and at the partitions there are."""

__all__ = ["Assigned", "Membership", "MembershipOptions", "Peer", "Standing", "membership"]


class Membership(ConsumerRebalanceListener):  # type: ignore[misc]  # aiokafka is untyped
    """Every partition is paused when it is assigned, where nothing can be fetched from: seek it, then resume it."""

    def __init__(
        self,
        client: Mapping[str, Any],
        topology: Topology,
        options: MembershipOptions,
        standing: Callable[[], Standing],
        revoked: Callable[[bool], Awaitable[None]],
    ) -> None:
        self.assigned: Assigned | None = None
        """The newest; None from the beginning of a rebalance to its end, and while there is a reason to wait."""
        self.changed = asyncio.Event()
        """Set whenever `assigned`, `epoch` or `failure` changes; to be cleared by whoever looks at them, then."""
        self.failure: Exception | None = None
        """Why this process can never take part in the group."""
        self.waiting = ""
        """Why there is nothing to do for this process, or empty."""
        self.rebalances = 0
        self._topology = topology
        self._options = options
        self._standing = standing
        self._revoked = revoked
        self._digest = topology_digest(topology)
        self._epoch = 0
        self._group: GroupMetadata | None = None
        self._last: GroupMetadata | None = None
        self._settled = False  # an assignment is in force, or was until its loss was noticed
        self._unsettled_at = time.monotonic()
        self._lost = False
        self._missed = False  # an assignment went by that nobody looked at
        self._presence = Presence(options.session_timeout_ms)
        self._roll = Roll()
        self._rejoining = Rejoining(lambda: self._settled, lambda: request_rejoin(self.consumer))
        self._rebalance_within, self._revoke_in = options.rebalance_within(client), options.revoke_in(client)
        self._revoking: asyncio.Future[None] | None = None
        self._watching: list[asyncio.Task[None]] = []
        rules = Rules(topology, options.standbys, options.max_warmups, options.acceptable_lag, options.found)
        hooks = Hooks(self._say, self._heard, self._led)
        self.consumer = row_consumer(
            client,
            isolation_level=options.isolation_level,
            partition_assignment_strategy=(StreamsAssignor(rules, hooks, missing_within=options.missing_within),),
            **options.consumer(client),
        )

    @property
    def epoch(self) -> int:
        """Data fetched in another epoch belong to another life. Moves too when this process was stopped, or cut off,
        for so long that the group must have gone on."""
        if self._settled and self._presence.over:
            log.warning("no word from group %s for longer than a session: joining anew", self._options.group)
            self._suspend(lost=True)
            request_rejoin(self.consumer)
        return self._epoch

    def rejoin(self) -> None:
        """Have the group plan again, soon: copies have caught up, or topics have changed."""
        self._rejoining.want()

    def fenced(self, transactional_ids: Iterable[str]) -> None:
        """Of the dead: nobody has to be told of them again."""
        self._roll.fence(transactional_ids)

    async def commit_offsets(self, offsets: Mapping[TopicPartition, Offset], group: GroupMetadata | None) -> None:
        """At least once. Raises Fenced for another generation than the present one, KafkaError, TimeoutError."""
        if group is None or group != self._group:
            raise Fenced(f"the group is past {group}")
        await commit_offsets(group_client(self.consumer), group, offsets, within=COMMIT_WITHIN)

    async def open(self) -> None:
        """Joins in the background. Raises KafkaError."""
        await self.consumer.start()
        on_heartbeat(self.consumer, self._presence.ask)
        if self._options.instance_id is None:
            await self._remove_predecessors()
        subscribe(self.consumer, await self._topics(), self)
        self._watching = [asyncio.create_task(self._heed()), asyncio.create_task(self._tick())]
        for watching in self._watching:
            watching.add_done_callback(self._ended)

    async def close(self) -> None:
        """In bounded time. A dynamic member leaves, also out of a rebalance that waits for others."""
        self._rejoining.close()
        for task in (*self._watching, *([self._revoking] if self._revoking else [])):
            task.cancel()
        await asyncio.gather(*self._watching, return_exceptions=True)
        at = joining(self.consumer) if self._options.instance_id is None else None
        if at is not None:
            with suppress(KafkaError, TimeoutError, OSError):  # else the others wait for the session to end
                async with asyncio.timeout(LEAVE_WITHIN):
                    await leave(group_client(self.consumer), at[0], self._options.group, at[1])
        await close(self.consumer.stop(), within=CLOSE_WITHIN)

    # what aiokafka calls

    async def on_partitions_revoked(self, _: object) -> None:
        # The leader plans with what the cluster is now; also after a topic was made or changed a moment ago.
        refresh_metadata(self.consumer)
        lost = not is_member(self.consumer)
        if lost and self._settled:
            self._look_for_rival()
        await self._begin(lost=lost)

    async def on_partitions_assigned(self, _: object) -> None:
        self._rejoining.joined()

    def _say(self) -> Subscription:
        last = self._last
        if last is None or place(self.consumer) != (last.generation, last.member):
            self._roll.doubt()
        try:
            standing = self._standing()
        except Exception as bug:  # noqa: BLE001 - raised by the loop; out of here it would end aiokafka's coordination
            self._fail(bug)
            standing = Standing()
        options = self._options
        return Subscription(
            v=VERSION,
            process=options.process,
            transactional_id=options.transactional_id,
            address=options.address,
            digest=self._digest,
            running=names_of(standing.running),
            lags=lags_as_text(standing.lags),
            known=self._roll.known,
            fenced=tuple(sorted(self._roll.fenced)),
            nonce=self._rejoining.join(),
        )

    def _led(self, present: tuple[str, ...], missing: tuple[str, ...]) -> None:
        self._roll.called(present)
        if missing:
            self._rejoining.want_later()

    def _heard(self, partitions: tuple[TopicPartition, ...], told: Assignment | Unreadable) -> None:
        gate(self.consumer)
        self._presence.heard()
        group, last = group_metadata(self.consumer), self._last
        unbroken = not self._lost and not self._missed and last is not None and follows(last, group)
        self._group, self._settled, self._lost, self._missed = group, True, False, False
        self._epoch += 1
        self.rebalances += 1
        what = ""
        if isinstance(told, Unreadable):
            self._fail(ConfigError(f"the leader of group {group.group} is not understood: {told}"))
        elif told.error:
            self._fail(ConfigError(f"group {group.group}: {told.error}"))
        elif told.wait:
            what = f"group {group.group}: {told.wait}"
        elif told.digest not in ("", self._digest) or self.consumer.assignment() != set(partitions):
            what = f"group {group.group}: the tasks given here are another topology's, or of other topics"
            self.rejoin()  # a static member that was restarted as another is given what its predecessor was told
        else:
            self._take(group, partitions, told, unbroken)
        self._wait_for(what)
        self.changed.set()

    def _take(
        self, group: GroupMetadata, partitions: tuple[TopicPartition, ...], told: Assignment, unbroken: bool
    ) -> None:
        duties = duties_of(told)
        sources = task_partitions(self._topology, told.counts).sources
        held = {task: sources[task] for task in duties.active if task in sources}
        if {partition for each in held.values() for partition in each} != set(partitions):
            self._fail(ConfigError(f"the leader of group {group.group} gives partitions that its tasks do not read"))
            return
        if (told.transactional_id, told.address) != (self._options.transactional_id, self._options.address):
            self.rejoin()  # as a static member, restarted as another process
        peers = {peer.process: peer_of(peer) for peer in told.peers}
        self._roll.told((peer.transactional_id for peer in peers.values() if peer.transactional_id), told.dead)
        self._last = group
        self.assigned = Assigned(self._epoch, group, duties, held, told.dead, peers, told.counts, unbroken)

    # what is behind it

    async def _begin(self, *, lost: bool) -> None:
        """A rebalance: work in hand is finished, in bounded time."""
        if self._settled:
            self._suspend(lost=lost)
        if self._revoking is None:
            return
        done, _ = await asyncio.wait({self._revoking}, timeout=self._revoke_in)
        if not done:
            self._revoking.cancel()
            log.warning("the work in hand is not done, and group %s goes on without it", self._options.group)

    def _suspend(self, *, lost: bool) -> None:
        """No assignment is in force from now on."""
        self._settled, self._unsettled_at = False, time.monotonic()
        self._missed = self.assigned is not None and self.changed.is_set()
        self.assigned = None
        if lost:
            self._lost = True
            self._group = None
            self._epoch += 1
        self.changed.set()
        self._revoking = asyncio.ensure_future(self._revoked(lost))
        self._revoking.add_done_callback(self._ended)

    async def _remove_predecessors(self) -> None:
        group, process = self._options.group, self._options.process
        try:
            await remove_predecessors(group_client(self.consumer), group, process, within=PREDECESSORS_WITHIN)
        except (KafkaError, TimeoutError) as error:
            log.debug("looking for predecessors in group %s: %s", group, describe(error))

    def _ended(self, beside: asyncio.Future[None]) -> None:
        if not beside.cancelled() and (bug := beside.exception()) is not None:
            self._fail(bug)

    def _fail(self, error: BaseException) -> None:
        self.failure = self.failure or (error if isinstance(error, Exception) else RuntimeError(repr(error)))
        self.changed.set()

    def _wait_for(self, what: str) -> None:
        if what and what != self.waiting:
            log.warning("%s; waiting", what)
        self.waiting = what

    def _look_for_rival(self) -> None:
        """Two live processes with one instance id would take it from each other for ever; the elder one ends."""
        if self._options.instance_id is not None and self._presence.stolen():
            self._give_way()

    def _give_way(self) -> None:
        what = f"another process is member {self._options.instance_id} of group {self._options.group}"
        self._fail(TryAgain(what, try_next="give each its own APP_STREAMS__INSTANCE_ID"))

    async def _heed(self) -> None:
        """Errors for which aiokafka would wait for somebody to look."""
        group = self._options.group
        while True:
            error = root_cause(await next_trouble(self.consumer))
            if (refused := refusal(error, self._options)) is not None:
                self._fail(refused)
            elif FencedInstanceIdError.__name__ in repr(error):  # aiokafka keeps of it no more than its name
                self._give_way()
            else:
                self._wait_for(obstacle(error, group))
            await asyncio.sleep(TROUBLE_PAUSE)
            try:
                go_on(self.consumer)
            except KafkaError as ended:
                self._fail(BrokerUnavailable(f"the membership of group {group} came to an end: {describe(ended)}"))
                return

    async def _tick(self) -> None:
        look_at = time.monotonic() + self._options.refresh_within
        while True:
            await asyncio.sleep(min(TICK, self._options.refresh_within))
            _ = self.epoch  # moves by itself when it has to
            self._look_for_end()
            if self._differs():
                await refresh_metadata(self.consumer)
                if self._differs():
                    self.rejoin()
            if has_patterns(self._topology) and time.monotonic() >= look_at:
                look_at = time.monotonic() + self._options.refresh_within
                await self._look_for_topics()

    def _look_for_end(self) -> None:
        """Of a rebalance: aiokafka waits for it, and tries again, without a word."""
        if not self._settled and not self.waiting and time.monotonic() - self._unsettled_at > self._rebalance_within:
            over = f"no assignment for {self._rebalance_within:g} s"
            self._wait_for(f"group {self._options.group}: {over}; another member, or the coordinator, does not answer")

    def _differs(self) -> bool:
        """Whether there are other partitions than were planned with: not every generation has a leader that watches."""
        known, counts = self.consumer.partitions_for_topic, self.assigned.counts if self.assigned else {}
        return any(len(known(topic) or range(count)) != count for topic, count in counts.items())

    async def _look_for_topics(self) -> None:
        try:
            topics = await self._topics()
        except KafkaError as error:
            log.debug("looking for topics: %s", describe(error))
            return
        if self._settled and topics != self.consumer.subscription():
            log.info("group %s reads %s from now on", self._options.group, ", ".join(sorted(topics)) or "nothing yet")
            # First the work in hand: with its subscription aiokafka forgets the partitions at once.
            await self._finish()
            subscribe(self.consumer, topics, self)

    async def _finish(self) -> None:
        while self._settled:  # again, if meanwhile another rebalance came to its end
            await self._begin(lost=not is_member(self.consumer))

    async def _topics(self) -> frozenset[str]:
        named = named_topics(self._topology)
        if not has_patterns(self._topology):
            return named
        return named | matching_topics(self._topology, await self.consumer.topics())


@asynccontextmanager
async def membership(
    client: Mapping[str, Any],
    topology: Topology,
    options: MembershipOptions,
    *,
    standing: Callable[[], Standing],
    revoked: Callable[[bool], Awaitable[None]],
) -> AsyncIterator[Membership]:
    """A member until the end of the block, then it leaves, unless it is static. `client`: options of every client.

    Does not wait for the first assignment. `standing` is asked at each join. `revoked(lost)` is awaited, for at most
    `revoke_within`, when a rebalance begins: what was processed can still be committed, unless the membership is lost.
    Raises KafkaError when no broker answers.
    """
    group = Membership(client, topology, options, standing, revoked)
    try:
        await group.open()
        yield group
    finally:
        await group.close()
