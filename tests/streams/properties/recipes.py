"""Random topologies: some stateless steps, something with state, and maybe another store behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final, TypeAlias

from hypothesis import strategies as st

from app.streams.config import Optimization, StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.dsl.options import Joined, Materialized, StreamJoined
from app.streams.dsl.stream import Stream
from app.streams.dsl.suppressing import Buffer, UntilTimeLimit, UntilWindowCloses
from app.streams.dsl.table import Table
from app.streams.model import Record, Row
from app.streams.serdes import int64, utf8
from app.streams.stores.specs import KeyValueSpec, LruSpec
from app.streams.topology.processor import ProcessorContext
from app.streams.topology.runtime import Clock
from app.streams.topology.topology import Topology
from app.streams.windows.definitions import Emit, Hopping, JoinWindows, Sessions, Sliding, Tumbling

# As much as any record can be late; nothing expires then.
ANY_LATENESS: Final = 1_000
Texts: TypeAlias = Stream[Any, Any]


@dataclass(frozen=True)
class Recipe:
    """before: stateless steps of stream `a`. size, grace: of windows, in ms. counted: are results counted by key?

    unit: how many ms of stream time a drawn timestamp means: many, and window stores drop segments on the way.
    """

    core: str
    before: tuple[str, ...] = ()
    size: int = 10
    grace: int = 0
    counted: bool = False
    unit: int = 1

    def rows(self, drawn: Sequence[Row]) -> list[Row]:
        """The drawn records in this recipe's unit of time."""
        return [row._replace(timestamp=(row.timestamp or 0) * self.unit) for row in drawn]

    def topology(self, *, every_put: bool = False) -> Topology:
        reused = frozenset({Optimization.REUSE_SOURCE_TOPICS} if self.core == "source-table" else ())
        config = StreamsConfig(
            window_emit_interval=0, outer_join_emit_interval=0, log_every_put=every_put, optimization=reused
        )
        builder = Builder(config)
        stream: Texts = builder.stream("a", key=utf8, value=utf8)
        for step in self.before:
            stream = BEFORE[step](stream)
        result = ALL[self.core](self, builder, stream)
        if self.counted:
            result.group_by_key(key=utf8, value=utf8).count(Materialized("counted", key=utf8)).to_stream().to(
                "counts", key=utf8, value=int64
            )
        result.to("out", key=utf8, value=utf8)
        return builder.build()


class Shift:
    """Moves records 3 ms on and marks them."""

    def init(self, context: ProcessorContext) -> None:
        self.context = context

    def process(self, record: Record[str, str]) -> None:
        moved = record.with_timestamp(record.timestamp + 3)
        self.context.forward(moved.with_headers((*record.headers, ("moved", b"3"))))


BEFORE: Final[dict[str, Callable[[Texts], Texts]]] = {
    "filter": lambda stream: stream.filter(lambda _key, value: value != "x"),
    "map_values": lambda stream: stream.map_values(lambda _key, value: None if value is None else value + "+"),
    "twice": lambda stream: stream.flat_map_values(lambda _key, value: [value, value]),
    "rekey": lambda stream: stream.select_key(lambda key, value: value[:1] if value else key),
    "swap": lambda stream: stream.map(lambda key, value: (value, key)),
    "shift": lambda stream: stream.process(Shift),
}


def _text(table: Table[Any, Any]) -> Texts:
    """A table's changes as text under text: windowed keys are written out."""
    stream: Texts = table.to_stream(lambda key, _value: key if key is None or isinstance(key, str) else _label(key))
    return stream.map_values(lambda _key, value: None if value is None else str(value))


def _label(key: Any) -> str:
    return f"{key.key}@{key.start}-{key.end}"


def _grouped(stream: Texts) -> Any:
    return stream.group_by_key(key=utf8, value=utf8)


def _fold(_key: str, value: str | None, so_far: str) -> str | None:
    return None if value == "x" else (so_far + (value or "-"))[-12:]


def _joined(left: Any, right: Any) -> str:
    return f"{left}/{right}"


def _kept(name: str) -> Materialized[str, str]:
    return Materialized(name, key=utf8, value=utf8)


def _windowed(windows: Any, emit: Emit = Emit.ON_UPDATE) -> Callable[[Recipe, Builder, Texts], Texts]:
    def core(recipe: Recipe, _builder: Builder, stream: Texts) -> Texts:
        grouped = _grouped(stream).windowed_by(windows(recipe), emit)
        if isinstance(windows(recipe), Sessions):
            return _text(grouped.aggregate(str, _fold, lambda _key, one, other: one + other, _kept("kept")))
        return _text(grouped.aggregate(str, _fold, _kept("kept")))

    return core


def _streams(kind: str) -> Callable[[Recipe, Builder, Texts], Texts]:
    def core(recipe: Recipe, builder: Builder, stream: Texts) -> Texts:
        other: Texts = builder.stream("b", key=utf8, value=utf8)
        windows = JoinWindows(recipe.size, recipe.size // 2 + 1, recipe.grace)
        joined = StreamJoined(key=utf8, value=utf8, other_value=utf8)
        result: Texts = getattr(stream, kind)(other, _joined, windows, joined)
        return result

    return core


def _with_table(kind: str, *, grace: bool = False) -> Callable[[Recipe, Builder, Texts], Texts]:
    def core(recipe: Recipe, builder: Builder, stream: Texts) -> Texts:
        kept = Materialized("rows", key=utf8, value=utf8, versioned=ANY_LATENESS * recipe.unit if grace else None)
        table = builder.table("b", kept, key=utf8, value=utf8)
        joined = Joined(key=utf8, value=utf8, other_value=utf8, grace=recipe.grace if grace else None)
        result: Texts = getattr(stream, kind)(table, _joined, joined)
        return result

    return core


def _tables(kind: str, *, kept: bool = False, foreign: bool = False) -> Callable[[Recipe, Builder, Texts], Texts]:
    def core(_recipe: Recipe, builder: Builder, stream: Texts) -> Texts:
        left = stream.to_table(_kept("left"))
        right = builder.table("b", key=utf8, value=utf8)
        options: dict[str, Any] = {"foreign_key": lambda _key, value: value[:1] or None} if foreign else {}
        return _text(getattr(left, kind)(right, _joined, _kept("joined") if kept else None, **options))

    return core


def _regrouped(_recipe: Recipe, builder: Builder, stream: Texts) -> Texts:
    table = stream.to_table(_kept("rows"))
    groups = table.group_by(lambda _key, value: (value[:1], value), key=utf8, value=utf8)
    return _text(
        groups.aggregate(
            str,
            lambda _key, value, so_far: so_far + value,
            lambda _key, value, so_far: so_far.replace(value, "", 1),
            _kept("kept"),
        )
    )


def _cogrouped(_recipe: Recipe, builder: Builder, stream: Texts) -> Texts:
    other = _grouped(builder.stream("b", key=utf8, value=utf8))
    return _text(_grouped(stream).cogroup(_fold).cogroup(other, _fold).aggregate(str, _kept("kept")))


def _held(recipe: Recipe, _builder: Builder, stream: Texts) -> Texts:
    table = stream.to_table(_kept("rows"))
    return _text(table.suppress(UntilTimeLimit(recipe.size, Buffer(max_records=4))))


def _final(recipe: Recipe, _builder: Builder, stream: Texts) -> Texts:
    counts = _grouped(stream).windowed_by(Tumbling(recipe.size, recipe.grace)).count(Materialized("kept", key=utf8))
    return _text(counts.suppress(UntilWindowCloses()))


def _self_joined(recipe: Recipe, _builder: Builder, stream: Texts) -> Texts:
    windows = JoinWindows(recipe.size, recipe.size, recipe.grace)
    return stream.join(stream, _joined, windows, StreamJoined(key=utf8, value=utf8, other_value=utf8))


class Dedup:
    """Forwards what differs from the last value of its key, with all rows there are: a scan sees every layer."""

    @staticmethod
    def stores() -> list[KeyValueSpec]:
        return [KeyValueSpec(name="seen", key=utf8, value=utf8)]

    def init(self, context: ProcessorContext) -> None:
        self.context = context
        self.seen = context.store("seen")

    def process(self, record: Record[str | None, str | None]) -> None:
        if record.key is not None and self.seen.get(record.key) != record.value:
            self.seen.put(record.key, record.value)
            rows = ",".join(f"{key}={value}" for key, value in self.seen.all())
            self.context.forward(record.with_value(rows))


class Tick:
    """Tells every 10 ms of stream time how many records came since."""

    @staticmethod
    def stores() -> list[KeyValueSpec]:
        return [KeyValueSpec(name="ticks", key=utf8, value=int64)]

    def init(self, context: ProcessorContext) -> None:
        self.context = context
        self.ticks = context.store("ticks")
        context.schedule(10, Clock.STREAM_TIME, self.tick)

    def process(self, _record: Record[str | None, str | None]) -> None:
        self.ticks.put("count", (self.ticks.get("count") or 0) + 1)

    def tick(self, time: int) -> None:
        self.context.forward(Record("tick", str(self.ticks.get("count")), time))


class Recent:
    """Forwards the last three keys' values, in the order of their keys."""

    @staticmethod
    def stores() -> list[LruSpec]:
        return [LruSpec(name="recent", key=utf8, value=utf8, capacity=3)]

    def init(self, context: ProcessorContext) -> None:
        self.context = context
        self.recent = context.store("recent")

    def process(self, record: Record[str | None, str | None]) -> None:
        self.recent.put(f"{record.key}{record.value}", record.value)
        self.context.forward(record.with_value(str(list(self.recent.all()))))


def _read_back(_recipe: Recipe, builder: Builder, stream: Texts) -> Texts:
    """A table whose source topic is its changelog."""
    table = builder.table("b", _kept("rows"), key=utf8, value=utf8)
    return stream.left_join(table, _joined, Joined(key=utf8, value=utf8, other_value=utf8))


CORES: Final[dict[str, Callable[[Recipe, Builder, Texts], Texts]]] = {
    "stateless": lambda _recipe, _builder, stream: stream,
    "merge": lambda _recipe, builder, stream: stream.merge(builder.stream("b", key=utf8, value=utf8)),
    "dedup": lambda _recipe, _builder, stream: stream.process(Dedup),
    "tick": lambda _recipe, _builder, stream: stream.process(Tick),
    "count": lambda _recipe, _builder, stream: _text(_grouped(stream).count(Materialized("kept", key=utf8))),
    "aggregate": lambda _recipe, _builder, stream: _text(_grouped(stream).aggregate(str, _fold, _kept("kept"))),
    "cogroup": _cogrouped,
    "table": lambda _recipe, _builder, stream: _text(stream.to_table(_kept("rows")).filter(lambda _k, v: v != "y")),
    "versioned": lambda recipe, _builder, stream: _text(
        stream.to_table(Materialized("rows", key=utf8, value=utf8, versioned=recipe.size))
    ),
    "regrouped": _regrouped,
    "tumbling": _windowed(lambda recipe: Tumbling(recipe.size, recipe.grace)),
    "hopping": _windowed(lambda recipe: Hopping(recipe.size, max(recipe.size // 3, 1), recipe.grace)),
    "sliding": _windowed(lambda recipe: Sliding(recipe.size, recipe.grace)),
    "sessions": _windowed(lambda recipe: Sessions(recipe.size, recipe.grace)),
    "tumbling-closed": _windowed(lambda recipe: Tumbling(recipe.size, recipe.grace), Emit.ON_CLOSE),
    "sessions-closed": _windowed(lambda recipe: Sessions(recipe.size, recipe.grace), Emit.ON_CLOSE),
    "held": _held,
    "final": _final,
    "stream-join": _streams("join"),
    "stream-left": _streams("left_join"),
    "stream-outer": _streams("outer_join"),
    "self-join": _self_joined,
    "lookup": _with_table("join"),
    "lookup-left": _with_table("left_join"),
    "lookup-grace": _with_table("join", grace=True),
    "source-table": _read_back,
    "lru": lambda _recipe, _builder, stream: stream.process(Recent),
    "table-join": _tables("join"),
    "table-left": _tables("left_join", kept=True),
    "table-outer": _tables("outer_join"),
}
FOREIGN: Final[dict[str, Callable[[Recipe, Builder, Texts], Texts]]] = {
    "foreign": _tables("join", foreign=True),
    "foreign-left": _tables("left_join", kept=True, foreign=True),
}
ALL: Final = CORES | FOREIGN


def recipes(cores: Any = tuple(CORES), before: tuple[str, ...] = tuple(BEFORE)) -> st.SearchStrategy[Recipe]:
    return st.builds(
        Recipe,
        core=st.sampled_from(sorted(cores)),
        before=st.lists(st.sampled_from(before), max_size=2).map(tuple),
        size=st.integers(1, 20),
        grace=st.sampled_from([0, 5, ANY_LATENESS]),
        counted=st.booleans(),
        unit=st.sampled_from([1, 1, 10_000]),
    ).map(_in_units)


def _in_units(recipe: Recipe) -> Recipe:
    return replace(recipe, size=recipe.size * recipe.unit, grace=recipe.grace * recipe.unit)
