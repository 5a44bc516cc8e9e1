"""What the worker says of itself, as one frozen value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from app.statistics import RestoreStatistics, StreamsStatistics, StreamsStoreStatistics, StreamsTaskStatistics
from app.worker.held import HeldTask

if TYPE_CHECKING:
    from app.worker.worker import Worker


def report(worker: Worker) -> StreamsStatistics:
    """Cheap enough to be asked for every second: it counts no rows."""
    settings, totals, stay = worker.given.settings, worker.totals, worker.stay
    held = list(worker.held().values())
    tasks = tuple(_task(each, worker) for each in sorted(held, key=lambda each: each.id))
    return StreamsStatistics(
        application_id=settings.application_id,
        state=worker.state,
        instance=worker.self_process,
        guarantee=settings.guarantee,
        generation=-1 if worker.assigned is None else worker.assigned.group.generation,
        epoch=0 if stay is None or stay.group is None else stay.group.epoch,
        paused=worker.paused,
        tasks=tasks,
        processed=totals.processed,
        produced=totals.produced,
        dropped=totals.dropped + sum(task.dropped for task in tasks),
        punctuations=totals.punctuations + sum(each.task.ctx.punctuations for each in held),
        dead_letters=totals.dead_letters + sum(each.task.ctx.dead_letters for each in held),
        records_per_s=totals.rate.of(totals.processed),
        commits=totals.commits.statistics(),
        restore=RestoreStatistics() if stay is None or stay.restorer is None else stay.restorer.statistics(),
        rebalances=totals.rebalances,
        producers=totals.producers,
        waiting_bytes=0 if stay is None or stay.writer is None else stay.writer.waiting_bytes,
        peers=tuple(sorted(peer.address for peer in worker.peers().values() if peer.address)),
        last_error=totals.last_error,
        topology=worker.description,
    )


def _task(held: HeldTask, worker: Worker) -> StreamsTaskStatistics:
    task = held.task.statistics()
    lags = [lag for lag in task.lag.values() if lag is not None]
    restorer = None if worker.stay is None else worker.stay.restorer
    missing = None if restorer is None else restorer.lag(held.id)
    return StreamsTaskStatistics(
        task=str(held.id),
        phase=held.phase.value,
        processed=task.processed,
        dropped=task.dropped,
        buffered=sum(task.buffered.values()),
        lag=sum(lags) if lags else None,
        stream_time_ms=task.stream_time,
        sources=tuple(f"{source.topic}-{source.partition}" for source in held.sources),
        stores=tuple(
            StreamsStoreStatistics(
                store.name, store.kind, store.committed, store.dirty + store.sealed, store.position, missing
            )
            for store in task.stores
        ),
    )
