"""What this process can be asked about stores: which partitions are here, which are elsewhere, and reading those here.

Nothing waits here. A question for another instance's partition comes back with that instance's address.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from app.streams.hashing import partition_for
from app.streams.model import TaskId, TopicPartition
from app.streams.queries import (
    Budget,
    CommittedStore,
    InvalidQuestion,
    Keys,
    NoOwner,
    NotHere,
    Part,
    QueryRefused,
    Question,
    StoreRestoring,
    UnknownStore,
    is_readable,
    positions,
)
from app.streams.queries.places import At, Here, Place, Refused
from app.streams.stores.specs import StoreSpec
from app.streams.topology.subtopologies import subtopologies
from app.streams.topology.topology import Topology
from app.worker.held import HeldTask, TaskPhase

ADVERTISED = "APP_HTTP__ADVERTISED"


class Member(Protocol):
    """Another instance, as the newest assignment knows it. address: where its HTTP side is, if it says so."""

    @property
    def process(self) -> str: ...
    @property
    def address(self) -> str | None: ...
    @property
    def active(self) -> tuple[TaskId, ...]: ...
    @property
    def standby(self) -> tuple[TaskId, ...]: ...


class Holding(Protocol):
    """What there is to ask: the worker."""

    paused: bool

    @property
    def topology(self) -> Topology: ...
    @property
    def self_process(self) -> str: ...
    def held(self) -> Mapping[TaskId, HeldTask]:
        """Ours, in any phase."""
        ...

    def peers(self) -> Mapping[str, Member]:
        """All members of the newest assignment by process, ours included."""
        ...

    def global_stores(self) -> Mapping[str, Any]:
        """Open global stores by name, once they are loaded."""
        ...

    def partitions(self, topic: str) -> int | None: ...
    def pause(self) -> None: ...
    def resume(self) -> None: ...


class Queries:
    """Stores by name, for HTTP and for code in this process."""

    def __init__(self, holding: Holding) -> None:
        self._holding = holding
        topology = holding.topology
        self._parts = {
            name: part.number
            for part in subtopologies(topology)
            for name in part.stores(topology)
            if not part.is_global
        }

    # where

    def listing(self) -> list[dict[str, Any]]:
        """Every store of the topology as JSON values, and where each of its partitions is."""
        return [self._listed(name, spec) for name, spec in self._specs().items()]

    def places(self, question: Question) -> Sequence[Place]:
        """Of a question for a key one place; else those of every partition it is about, in order. Raises
        QueryRefused."""
        name, spec = question.store, self._spec(question.store)
        is_global = name not in self._parts
        count = 1 if is_global else self._count(name)
        if not count:
            raise _unassigned(name)
        if question.partition is not None and question.partition not in range(count):
            raise InvalidQuestion(f"store {name} has the partitions 0 to {count - 1}")
        wanted = range(count)
        if question.partition is not None:
            wanted = range(question.partition, question.partition + 1)
        elif question.key is not None and not is_global:
            owner = self._owner(name, spec, question)
            wanted = range(owner, owner + 1)
        if question.cursor is not None:
            if question.cursor.partition not in wanted:
                raise InvalidQuestion("the cursor is of another question", "a cursor goes with what it was given for")
            wanted = range(question.cursor.partition, wanted.stop)
        if is_global:
            return [self._global_place(name)]
        return [self._place(name, partition, question.standby) for partition in wanted]

    # reading

    def preparing(self, question: Question, place: Here) -> Iterator[None]:
        """What has to be done once before `read`, in slices of a few ms. Raises QueryRefused."""
        return self._committed(question.store, place).preparing(question)

    def read(self, question: Question, place: Here, budget: Budget) -> Part:
        """What is committed here, and not more than the budget allows. Raises QueryRefused."""
        store = self._committed(question.store, place)
        positions.check(question.bound, place.partition, self.positions(question.store, place))
        cursor = question.cursor
        after = cursor.row if cursor is not None and cursor.partition == place.partition else None
        return (store.page if question.key is None else store.rows_of)(question, after, budget)

    def positions(self, name: str, place: Here) -> dict[TopicPartition, int]:
        """Offsets included in the rows: of the changelog, and of the source topics where the task runs."""
        opened = self._opened(name, place)
        found: dict[TopicPartition, int] = {}
        position = opened.committed_rows.marks().position
        if position is not None:
            found[TopicPartition(self._holding.topology.changelog(name), place.partition)] = position - 1
        if name in self._parts and not place.standby:
            task = self._holding.held()[self._task(name, place.partition)].task
            found.update((where, offset - 1) for where, offset in task.committed.items())
        return found

    def store(self, name: str, *, standby: bool = False) -> LocalStore:
        """All local partitions of a store, to be read with keys and values as processors have them. Raises
        QueryRefused: none is here, or the store is unknown."""
        spec = self._spec(name)
        places = self.places(Question(store=name, standby=standby))
        views = {place.partition: self._opened(name, place).committed() for place in places if isinstance(place, Here)}
        if not views:
            raise _reason(places[0])
        keys = Keys(spec.key, self._holding.topology.changelog(name))

        def view_of(key: Any) -> Any:
            partition = self._partition(name, keys, keys.data(key)) if name in self._parts else 0
            if partition in views:
                return views[partition]
            raise _reason(self._place(name, partition, standby))

        return LocalStore(name, views, view_of)

    # steering

    @property
    def paused(self) -> bool:
        return self._holding.paused

    def pause(self) -> None:
        """Stops processing and punctuation in this process; it stays a member, and standbys follow on (O2)."""
        self._holding.pause()

    def resume(self) -> None:
        self._holding.resume()

    # one store

    def _specs(self) -> dict[str, StoreSpec]:
        topology = self._holding.topology
        return {**topology.stores, **{name: entry.spec for name, entry in topology.globals.items()}}

    def _spec(self, name: str) -> StoreSpec:
        specs = self._specs()
        if name not in specs:
            known = sorted(each for each, spec in specs.items() if is_readable(spec))
            raise UnknownStore(
                f"the topology has no store named {name[:200]!r}", f"it has {', '.join(known) or 'none'}"
            )
        if not is_readable(specs[name]):
            raise InvalidQuestion(f"store {name} is a buffer of records on their way: it cannot be asked")
        return specs[name]

    def _task(self, name: str, partition: int) -> TaskId:
        return TaskId(self._parts[name], partition)

    def _count(self, name: str) -> int:
        """Partitions; 0: nothing was assigned yet."""
        count = self._holding.partitions(self._holding.topology.changelog(name))
        if count is not None:
            return count
        tasks = [*self._holding.held()]
        for peer in self._holding.peers().values():
            tasks += (*peer.active, *peer.standby)
        return max((task.partition + 1 for task in tasks if task.subtopology == self._parts[name]), default=0)

    def _owner(self, name: str, spec: StoreSpec, question: Question) -> int:
        keys = Keys(spec.key, self._holding.topology.changelog(name))
        return self._partition(name, keys, keys.read(question.key or "", question.key_form))

    def _partition(self, name: str, keys: Keys, key: bytes) -> int:
        count = self._count(name)
        if not count:
            raise _unassigned(name)
        return partition_for(keys.routed(key), count)

    def _committed(self, name: str, place: Here) -> CommittedStore:
        return CommittedStore(self._opened(name, place), self._holding.topology.changelog(name))

    def _opened(self, name: str, place: Here) -> Any:
        """Raises QueryRefused when it has left since `places` said that it is here, or is no more than a copy now."""
        if name not in self._parts:
            store = self._holding.global_stores().get(name)
        else:
            held = self._holding.held().get(self._task(name, place.partition))
            answers = held is not None and (place.standby or held.phase is TaskPhase.RUNNING)
            store = held.task.stores.get(name) if held is not None and answers else None
        if store is None:
            raise _gone(name, place.partition)
        return store

    def _global_place(self, name: str) -> Place:
        if name in self._holding.global_stores():
            return Here(0)
        return Refused(0, StoreRestoring(f"the global store {name} is being loaded"))

    def _place(self, name: str, partition: int, standby: bool) -> Place:
        task = self._task(name, partition)
        held = self._holding.held().get(task)
        if held is not None and held.phase is TaskPhase.RUNNING:
            return Here(partition)
        if held is not None and standby:
            return Here(partition, standby=True)
        if held is not None and held.phase is TaskPhase.RESTORING:
            why = f"task {task} reads store {name} back from {self._holding.topology.changelog(name)}-{partition}"
            return Refused(partition, StoreRestoring(why, "standby=true shows what is there already"))
        return self._elsewhere(name, task, standby)

    def _elsewhere(self, name: str, task: TaskId, standby: bool) -> Place:
        others = [peer for peer in self._holding.peers().values() if peer.process != self._holding.self_process]
        able = [peer for peer in others if task in peer.active]
        able += [peer for peer in others if standby and task in peer.standby]
        addresses = tuple(dict.fromkeys(peer.address for peer in able if peer.address is not None))
        if addresses:
            return At(task.partition, addresses)
        if not able:
            return Refused(
                task.partition, NoOwner(f"the group has not given task {task} to anyone, or not told us yet")
            )
        why = f"task {task} of store {name} is at instance {able[0].process}, which says no address"
        return Refused(task.partition, NotHere(why, f"set {ADVERTISED} there"))

    def _listed(self, name: str, spec: StoreSpec) -> dict[str, Any]:
        if name in self._parts:
            places = [self._place(name, partition, True) for partition in range(self._count(name))]
        else:
            places = [self._global_place(name)]
        return {
            "name": name,
            "kind": kind_of(spec),
            "readable": is_readable(spec),
            "global": name not in self._parts,
            "partitions": [self._listed_place(name, place) for place in places],
        }

    def _listed_place(self, name: str, place: Place) -> dict[str, Any]:
        match place:
            case Here():
                held = self._holding.held().get(self._task(name, place.partition)) if name in self._parts else None
                phase = "global" if held is None else held.phase.value
                rows = self._opened(name, place).statistics().committed
                shown = {"partition": place.partition, "here": True, "phase": phase, "rows": rows}
                owner = self._elsewhere(name, held.id, False) if held is not None and place.standby else None
                return {**shown, "addresses": list(owner.addresses)} if isinstance(owner, At) else shown
            case At():
                return {"partition": place.partition, "here": False, "addresses": list(place.addresses)}
            case Refused():
                return {"partition": place.partition, "here": False, "why": place.reason.why}


class LocalStore:
    """The committed rows of a store's local partitions. What a kind of store answers is what its view answers: `get`,
    `range`, `prefix_scan`, `fetch`, `fetch_all`, `find_sessions`, `versions`, …"""

    def __init__(self, name: str, views: Mapping[int, Any], view_of: Callable[[Any], Any]) -> None:
        self.name = name
        self.partitions = views
        """The view of each local partition."""
        self.view_of = view_of
        """The view that a key belongs to. Raises QueryRefused that says where it is, if not here."""

    def get(self, key: Any, *arguments: Any) -> Any:
        """As the kind has it: `get(key)`, `get(key, start)`, `get(key, start, end)`, `get(key, as_of)`."""
        return self.view_of(key).get(key, *arguments)

    def fetch(self, key: Any, *arguments: Any) -> Any:
        """Windows of a key between two times, or sessions of a key."""
        return self.view_of(key).fetch(key, *arguments)

    def versions(self, key: Any, time_from: int, time_to: int) -> Any:
        return self.view_of(key).versions(key, time_from, time_to)

    def all(self) -> Iterator[tuple[Any, Any]]:
        """Every row of a key-value or window store here, a partition after the other."""
        for view in self.partitions.values():
            yield from view.all()

    def range(self, lo: Any, hi: Any) -> Iterator[tuple[Any, Any]]:
        """Rows with lo ≤ key ≤ hi, in order within each partition."""
        for view in self.partitions.values():
            yield from view.range(lo, hi)

    def fetch_all(self, time_from: int, time_to: int) -> Iterator[tuple[Any, Any]]:
        """Windows of all keys that start between two times."""
        for view in self.partitions.values():
            yield from view.fetch_all(time_from, time_to)


def kind_of(spec: StoreSpec) -> str:
    """`key-value`, `window`, `session`, `versioned`, …: what it is asked as."""
    return _KINDS.get(type(spec).__name__, type(spec).__name__)


_KINDS = {
    "KeyValueSpec": "key-value",
    "LruSpec": "key-value",
    "WindowSpec": "window",
    "SessionSpec": "session",
    "VersionedSpec": "versioned",
    "OuterJoinSpec": "outer-join",
    "SuppressSpec": "suppress-buffer",
    "GraceSpec": "grace-buffer",
}


def _unassigned(name: str) -> QueryRefused:
    return NoOwner(f"how many partitions store {name} has is not known: nothing was assigned yet")


def _gone(name: str, partition: int) -> QueryRefused:
    return NoOwner(f"partition {partition} of store {name} has just left this instance")


def _reason(place: Place) -> QueryRefused:
    match place:
        case Refused():
            return place.reason
        case At():
            return NotHere(f"partition {place.partition} is at another instance", ", ".join(place.addresses))
        case Here():
            raise AssertionError("what is here is no reason to refuse")
