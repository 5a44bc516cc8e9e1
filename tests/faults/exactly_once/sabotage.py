"""Deliberate faults: what the engine must not do, done. Each replaces one decision of its code.

Three walls stand before some faults: the dead are fenced by their successors, the group refuses offsets of an older
generation, and whoever wakes looks at the clock before it does anything else. Where one of them hides the lack of
another, the fault takes down both, and says so.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from types import SimpleNamespace
from typing import Any, Final

from aiokafka import OffsetAndMetadata, TopicPartition
from aiokafka.protocol.commit import OffsetFetchRequest

from app.kafka.compat import Kip447Producer
from app.kafka.failpoints import Step
from app.kafka.fetching import fetch, seek
from app.kafka.membership import Membership
from app.kafka.offset_commits import commit_offsets
from app.kafka.outcomes import CLIENT_ERRORS
from app.kafka.presence import Presence
from app.kafka.transactions import TransactionalProducer
from app.kafka.unconfirmed import Unconfirmed
from app.kafka.writing import RowWriter
from app.streams.model import Row
from app.worker import committing, stay, takeover
from app.worker.committing import Committer, Sealed
from app.worker.life import Life, Rebalance
from app.worker.restoring import Restorer
from app.worker.stay import Stay
from app.worker.takeover import Takeover


def instead(owner: object, name: str, make: Callable[[Any], Any]) -> None:
    """`make` is given what was there. A seam that is gone ends the process: a patch of nothing proves nothing."""
    setattr(owner, name, make(getattr(owner, name)))


def offsets_before_outputs() -> None:
    def make(finish: Any) -> Any:
        async def wrong(self: Any, sealed: Sealed, group: Any) -> None:
            await commit_offsets(self._transport.client, group, sealed.offsets, within=10)
            await finish(self, sealed, group)

        return wrong

    instead(Committer, "finish", make)


def offsets_after_outputs() -> None:
    """In a request of their own, when the transaction has ended: at least once."""

    def make(commit: Any) -> Any:
        async def wrong(self: Any, offsets: Mapping[Any, Any], group: Any) -> Any:
            ends = await commit(self, {}, None)
            await commit_offsets(self.client, group, offsets, within=10)
            return ends

        return wrong

    instead(TransactionalProducer, "commit", make)


def apply_before_commit() -> None:
    def make(finish: Any) -> Any:
        async def wrong(self: Any, sealed: Sealed, group: Any) -> None:
            for held, commit in sealed.shares:
                held.task.applied(commit)
            await finish(self, replace(sealed, shares=()), group)

        return wrong

    instead(Committer, "finish", make)


def dead_not_fenced() -> None:
    async def wrong(_self: Any, _dead: str) -> None:
        """As if nobody had died."""

    instead(Takeover, "_fence", lambda _: wrong)


def sleep_not_noticed() -> None:
    """Whoever wakes goes on with what it was at, until the group has told it and a second has passed."""

    def make(begin: Any) -> Any:
        async def wrong(self: Any, *, lost: bool) -> None:
            await asyncio.sleep(1.0 if lost else 0.0)
            await begin(self, lost=lost)

        return wrong

    instead(Presence, "over", lambda _: False)
    instead(Membership, "_begin", make)


def offsets_without_group() -> None:
    """As before KIP-447: the group refuses nobody."""

    def make(send: Any) -> Any:
        async def wrong(self: Any, offsets: Any, group: Any) -> None:
            await send(self, offsets, SimpleNamespace(group=group.group, generation=-1, member="", instance=None))

        return wrong

    instead(Kip447Producer, "send_offsets_to_transaction", make)


def nobody_fenced() -> None:
    sleep_not_noticed()
    dead_not_fenced()
    offsets_without_group()


def unstable_offsets() -> None:
    """Committed offsets as they are, without waiting for those that a transaction still holds; the dead not fenced."""
    sleep_not_noticed()
    dead_not_fenced()

    async def wrong(client: Any, group: str, partitions: Iterable[Any], *, within: float) -> Any:
        wanted: dict[str, list[int]] = {}
        for topic, partition in partitions:
            wanted.setdefault(topic, []).append(partition)
        coordinator = await asyncio.wait_for(client.coordinator_lookup(0, group), within)
        answer = await client.send(coordinator, OffsetFetchRequest(group, list(wanted.items())))
        return {
            TopicPartition(topic, partition): OffsetAndMetadata(offset, metadata)
            for topic, rows in answer.topics
            for partition, offset, metadata, _ in rows
            if offset >= 0
        }

    instead(takeover, "stable_offsets", lambda _: wrong)


def restore_before_fence() -> None:
    """Stores are restored before the offsets are read, while the predecessor can still commit."""
    sleep_not_noticed()
    dead_not_fenced()

    def make(begin: Any) -> Any:
        async def wrong(self: Any, new: Any, assigned: Any) -> None:
            restorer, logs = self._means.restorer, {each for held in new for each in held.changelogs.values()}
            ends = await self._means.reader.ends(logs, committed=True)
            for held in new:
                await restorer.restore(held, {each: ends[each] for each in held.changelogs.values()})
            restorer.restore = partial(_restored_already, restorer)
            try:
                await begin(self, new, assigned)
            finally:
                del restorer.restore

        return wrong

    instead(Takeover, "_begin", make)


def failed_batch_ignored() -> None:
    async def confirmed(self: Any, _lost: Any) -> Any:
        while self._count:
            self._news.clear()
            await self._news.wait()
        return dict(self._ends)

    def make(settled: Any) -> Any:
        def wrong(self: Any, lane: Any, rows: int, size: int, _confirmed: Any) -> None:
            fine: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            fine.set_result(None)
            settled(self, lane, rows, size, fine)

        return wrong

    instead(Unconfirmed, "confirmed", lambda _: confirmed)
    Unconfirmed.error = property(lambda _: None, lambda _self, _error: None)  # type: ignore[assignment]
    instead(RowWriter, "_settled", make)


def producer_used_again() -> None:
    """After an error or a time-out: the transaction is aborted, and what comes next goes into the next one."""

    async def wrong(self: Any, offsets: Any, group: Any) -> Any:
        try:
            ends = await self._unconfirmed.confirmed(lambda: self.lost)
            self._reached(Step.CONFIRMED)
            await self._producer.send_offsets_to_transaction(offsets, group)
            self._reached(Step.OFFSETS_HELD)
            await self._producer.commit_transaction()
        except CLIENT_ERRORS:
            await self._producer.abort_transaction()
            ends = {}
        self._begun = False
        return ends

    instead(TransactionalProducer, "commit", lambda _: wrong)


def unknown_outcome_taken_for_abort() -> None:
    """Offsets are not read again: the tasks begin where the last commit that is known of ended."""
    known: dict[Any, Any] = {}

    def noting(finish: Any) -> Any:
        async def finished(self: Any, sealed: Sealed, group: Any) -> None:
            await finish(self, sealed, group)
            known.update(sealed.offsets)

        return finished

    def make(committed: Any) -> Any:
        async def wrong(self: Any, sources: list[Any], assigned: Any) -> Any:
            return await committed(self, sources, assigned) | {each: known[each] for each in sources if each in known}

        return wrong

    instead(Committer, "finish", noting)
    instead(Takeover, "_committed", make)


def old_epoch_kept() -> None:
    """What was fetched is worked on a while later, even when a rebalance came between the two."""
    kept: list[Any] = []
    since = 0.0

    async def wrong(self: Any) -> None:
        nonlocal since
        processing = self._processing
        if time.monotonic() - since > 0.2:
            processing.feed(kept)
            kept.clear()
            since = time.monotonic()
        busy = await processing.turn()
        kept.extend(await fetch(self._means.group.consumer, processing.wanted(), timeout_ms=0 if busy else 10))
        await asyncio.sleep(0)

    instead(Life, "_turn", lambda _: wrong)


def position_too_far() -> None:
    """A store claims to hold rows of its changelog that it has not seen; few, or it would be ahead of the log."""

    def make(positions: Any) -> Any:
        return lambda *given: {store: position + 4 for store, position in positions(*given).items()}

    instead(committing, "_positions", make)


def kept_tasks_from_old_offsets() -> None:
    """A task that stays over a rebalance reads on from where it was when it came."""
    began: dict[Any, int] = {}

    def make(resume: Any) -> Any:
        def wrong(self: Any, held: Any) -> None:
            resume(self, held)
            for source in held.sources:
                position = held.task.queues[source].position
                seek(self._means.group.consumer, source, began.setdefault(source, position))

        return wrong

    instead(Takeover, "_resume", make)


def tasks_kept_after_abort() -> None:
    """What was worked on in the aborted transaction counts as done."""

    def wrong(self: Any) -> None:
        self._rebalance.lost = False
        for held in self.tasks.running():
            if (sealed := vars(held.task)["_sealed"]) is not None:
                held.task.applied(sealed)

    instead(Stay, "_forget", lambda _: wrong)


def nothing_restored() -> None:
    """A standby, or what is left on disk, is taken as complete."""

    instead(Restorer, "restore", lambda _: _restored_already)


def _restored_already(self: Any, held: Any, _targets: Any) -> asyncio.Future[None]:
    self.stop(held.id)
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


def newest_generation() -> None:
    """Offsets go under the generation of now, not under the one they were worked on in; the dead not fenced."""
    dead_not_fenced()
    groups: list[Any] = []

    def noting(take: Any) -> Any:
        def taken(self: Any, group: Any, *rest: Any) -> None:
            groups.append(group)
            take(self, group, *rest)

        return taken

    def make(send: Any) -> Any:
        async def wrong(self: Any, offsets: Any, group: Any) -> None:
            await send(self, offsets, groups[-1] if groups else group)

        return wrong

    instead(Membership, "_take", noting)
    instead(Kip447Producer, "send_offsets_to_transaction", make)


def rebalance_not_awaited() -> None:
    """Others take the tasks over while what was worked on here is not committed, and the group refuses nobody."""
    offsets_without_group()

    async def wrong(self: Any, lost: bool) -> None:
        self.holding = True
        self.lost = self.lost or lost
        self.quiet.set()

    instead(Rebalance, "begin", lambda _: wrong)


def uncommitted_read() -> None:
    """Inputs as they are in the log, aborted transactions included."""

    def make(options: Any) -> Any:
        def wrong(self: Any) -> Any:
            found = options(self)
            object.__setattr__(found, "isolation_level", "read_uncommitted")
            return found

        return wrong

    instead(Stay, "_membership_options", make)


def uncommitted_restored() -> None:
    """Changelogs as they are, aborted transactions included."""
    instead(stay, "changelog_reader", lambda reader: lambda options, **_: reader(options, committed=False))


def metadata_dropped() -> None:
    """Offsets without the text beside them, which says up to where final results are out."""

    def make(send: Any) -> Any:
        async def wrong(self: Any, offsets: Mapping[Any, Any], group: Any) -> None:
            bare = {where: OffsetAndMetadata(offset.offset, "") for where, offset in offsets.items()}
            await send(self, bare, group)

        return wrong

    instead(Kip447Producer, "send_offsets_to_transaction", make)


def _written_instead(rows_of: Callable[[Iterable[Row]], list[Row]]) -> None:
    instead(RowWriter, "write", lambda write: lambda self, rows: write(self, rows_of(map(Row._make, rows))))


def headers_dropped() -> None:
    _written_instead(lambda rows: [row._replace(headers=()) for row in rows])


def deletions_not_logged() -> None:
    """A row that was deleted comes back with the next restore."""
    _written_instead(lambda rows: [row for row in rows if row.value is not None or "-changelog" not in row.topic])


PATCHES: Final[Mapping[str, Callable[[], None]]] = {
    patch.__name__.replace("_", "-"): patch
    for patch in (
        offsets_before_outputs,
        offsets_after_outputs,
        apply_before_commit,
        nobody_fenced,
        unstable_offsets,
        restore_before_fence,
        failed_batch_ignored,
        producer_used_again,
        unknown_outcome_taken_for_abort,
        old_epoch_kept,
        position_too_far,
        kept_tasks_from_old_offsets,
        tasks_kept_after_abort,
        nothing_restored,
        newest_generation,
        rebalance_not_awaited,
        uncommitted_read,
        uncommitted_restored,
        metadata_dropped,
        headers_dropped,
        deletions_not_logged,
    )
}
