"""The record cache (K2-K5): what is held back, when it goes on, in which order and context, and what reads see."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from app.streams.model import Windowed
from app.streams.serdes import int64, raw, utf8
from app.streams.stores.specs import KeyValueSpec, SessionSpec, StoreSpec, WindowSpec
from tests.streams.stores.living import Living, last_rows

TABLE = KeyValueSpec(name="st", key=utf8, value=utf8, timestamped=True, caching=True)
PLAIN = KeyValueSpec(name="st", key=utf8, value=utf8, caching=True)
WINDOW = WindowSpec(name="st", key=utf8, value=utf8, retention=100, size=10, timestamped=True, caching=True)
SESSION = SessionSpec(name="st", key=utf8, value=utf8, retention=100, caching=True)
MUCH = 1_000_000


class Watched:
    """A caching store and what it forwards: (key, change, timestamp, headers, offset)."""

    def __init__(self, spec: StoreSpec, *, cache_bytes: int = MUCH, send_old: bool = True) -> None:
        self.living = Living(spec, every_put=True, cache_bytes=cache_bytes)
        self.store = self.living.store
        self.ctx = self.living.ctx
        self.forwarded: list[Any] = []
        self.store.on_flush(self._take, send_old)

    def _take(self, key: Any, change: Any) -> None:
        self.forwarded.append((key, change, self.ctx.timestamp, self.ctx.headers, self.ctx.offset))

    def at(self, timestamp: int, offset: int = 0, headers: Any = ()) -> "Watched":
        self.ctx.timestamp, self.ctx.offset, self.ctx.headers = timestamp, offset, headers
        return self

    @property
    def logged(self) -> list[Any]:
        return [(row.key, row.value, row.timestamp) for row in self.living.sent]


def test_nothing_goes_on_before_the_flush_and_then_only_the_last_write() -> None:
    watched = Watched(TABLE)
    assert watched.store.caches is True
    watched.at(1, 10).store.put("a", "1", 1)
    watched.at(2, 11).store.put("b", "2", 2)
    watched.at(3, 12, (("h", b"x"),)).store.put("a", "3", 30)
    assert (watched.forwarded, watched.logged) == ([], [])
    assert watched.store.get("a") == ("3", 30)
    assert list(watched.store.all()) == [("a", ("3", 30)), ("b", ("2", 2))]
    watched.at(99, 99)
    watched.store.flush()
    assert watched.forwarded == [
        ("b", ("2", None, True), 2, (), 11),
        ("a", ("3", None, True), 30, (("h", b"x"),), 12),
    ]
    assert watched.logged == [(b"b", b"2", 2), (b"a", b"3", 30)]
    assert (watched.ctx.timestamp, watched.ctx.offset, watched.ctx.headers) == (99, 99, ())
    watched.store.flush()
    assert len(watched.forwarded) == 2


def test_old_values_are_those_of_the_store() -> None:
    for send_old in (True, False):
        watched = Watched(TABLE, send_old=send_old)
        for value in ("1", "2"):
            watched.at(1).store.put("a", value, 1)
            watched.store.flush()
        watched.store.put("a", "3", 1)
        watched.store.delete("a")
        watched.store.flush()
        olds = [change[1] for _, change, *_ in watched.forwarded]
        assert olds == ([None, "1", "2"] if send_old else [None, None, None])
        assert watched.forwarded[-1][1][0] is None


def test_nothing_over_nothing_is_swallowed_where_someone_listens() -> None:
    watched = Watched(TABLE)
    watched.store.put("a", "1", 1)
    watched.store.delete("a")
    watched.store.delete("b")
    watched.store.flush()
    assert (watched.forwarded, watched.logged) == ([], [])
    alone = Living(PLAIN, every_put=True, cache_bytes=MUCH)
    alone.store.delete("b")
    alone.store.flush()
    assert [(row.key, row.value) for row in alone.sent] == [(b"b", None)]


# key + value with its timestamp + node and flag + context of topic "in".
ROW = 1 + (8 + 1) + 24 + 1 + (8 + 8 + len("in") + 4)


def test_a_full_cache_sends_on_the_eldest_then_all_dirty_rows() -> None:
    watched = Watched(TABLE, cache_bytes=2 * ROW)
    watched.store.put("a", "1", 1)
    watched.store.put("b", "2", 2)
    watched.store.get("a")
    assert watched.forwarded == []
    watched.store.put("c", "3", 3)
    assert [key for key, *_ in watched.forwarded] == ["b", "a", "c"]
    watched.store.flush()
    assert len(watched.forwarded) == 3


def test_a_byte_less_holds_a_row_less() -> None:
    watched = Watched(TABLE, cache_bytes=2 * ROW - 1)
    watched.store.put("a", "1", 1)
    assert watched.forwarded == []
    watched.store.put("b", "2", 2)
    assert [key for key, *_ in watched.forwarded] == ["a", "b"]


def test_rows_that_were_read_take_room_too() -> None:
    watched = Watched(TABLE, cache_bytes=2 * ROW)
    watched.store.put("a", "1", 1)
    watched.living.commit()
    fresh = Living(TABLE, every_put=True, cache_bytes=2 * ROW)
    fresh.base = watched.living.base
    fresh.crash()
    fresh.store.put("b", "2", 2)
    fresh.store.put("c", "3", 3)
    assert fresh.ctx.outputs == []
    assert fresh.store.get("a") == ("1", 1)
    assert [row.key for row in fresh.sent] == [b"b", b"c"]


def test_windows_are_forwarded_with_their_bounds_and_late_ones_still_show() -> None:
    watched = Watched(WINDOW)
    watched.at(5).store.put("a", "1", 0, 5)
    watched.at(6).store.put("a", "2", 500, 6)
    assert list(watched.store.fetch("a", 0, 1000)) == [(0, ("1", 5)), (500, ("2", 6))]
    watched.store.flush()
    assert [(key, change, time) for key, change, time, *_ in watched.forwarded] == [
        (Windowed("a", 0, 10), ("1", None, True), 5),
        (Windowed("a", 500, 510), ("2", None, True), 6),
    ]
    # Clean rows stay where they are until there is no room.
    assert [window.start for window, _ in watched.store.all()] == [0, 500]
    assert watched.store.get("a", 0) == ("1", 5)


def test_a_late_window_is_dropped_when_it_goes_on() -> None:
    watched = Watched(WINDOW)
    watched.store.put("a", "1", 1_000_000, 5)
    watched.store.flush()
    watched.store.put("a", "late", 0, 6)
    assert watched.ctx.dropped_records == 0
    watched.store.flush()
    assert watched.ctx.dropped_records == 1


def test_sessions_are_forwarded_with_their_end() -> None:
    watched = Watched(SESSION)
    watched.at(5).store.put("a", 3, 5, "1")
    watched.at(7).store.put("a", 3, 7, "2")
    watched.at(7).store.remove("a", 3, 5)
    assert list(watched.store.find_sessions("a", 0, 100)) == [(Windowed("a", 3, 7), "2")]
    watched.store.flush()
    assert [(key, change, time) for key, change, time, *_ in watched.forwarded] == [
        (Windowed("a", 3, 7), ("2", None, True), 7)
    ]
    assert [value for _, value, _ in watched.logged] == [b"2"]
    watched.at(8).store.remove("a", 3, 7)
    watched.store.flush()
    assert watched.forwarded[-1][:3] == (Windowed("a", 3, 7), (None, "2", True), 7)


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("put"), st.sampled_from([b"", b"a", b"ab", b"b"]), st.none() | st.integers(0, 9)),
        st.tuples(st.sampled_from(["flush", "commit"])),
        st.tuples(st.just("get"), st.sampled_from([b"", b"a", b"ab", b"b"])),
    ),
    max_size=40,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.sampled_from([1, 60, 130, 200, MUCH]), st.booleans())
def test_a_cache_changes_no_read_and_no_last_result(steps: list[Any], cache_bytes: int, every_put: bool) -> None:
    spec = KeyValueSpec(name="st", key=raw, value=int64, timestamped=True, caching=True)
    living = Living(spec, every_put=every_put, cache_bytes=cache_bytes)
    downstream: dict[bytes, int] = {}
    seen: dict[bytes, int] = {}

    def take(key: bytes, change: Any) -> None:
        new, old, _ = change
        assert old == downstream.get(key)
        assert (new, old) != (None, None)
        downstream.pop(key, None) if new is None else downstream.update({key: new})

    living.store.on_flush(take, True)
    for at, step in enumerate(steps):
        living.ctx.timestamp = at
        match step:
            case ("put", key, value):
                living.store.put(key, value, at)
                seen.pop(key, None) if value is None else seen.update({key: value})
            case ("get", key):
                assert (living.store.get(key) or (None,))[0] == seen.get(key)
            case ("flush",):
                living.store.flush()
                assert downstream == seen
            case ("commit",):
                living.commit()
        assert [(key, value) for key, (value, _) in living.store.all()] == sorted(seen.items())
        assert [(key, value) for key, (value, _) in living.store.reverse_range(b"a", b"b")] == [
            row for row in sorted(seen.items(), reverse=True) if b"a" <= row[0] <= b"b"
        ]
    living.commit()
    assert downstream == seen
    kept = {key: value for key, (value, _) in last_rows(living.changelog).items() if value is not None}
    assert kept == {key: value.to_bytes(8, "big") for key, value in seen.items()}


def test_a_flush_may_come_in_slices() -> None:
    watched = Watched(TABLE)
    for at, key in enumerate("abcde"):
        watched.at(at, at).store.put(key, "1", at)
    watched.store.delete("c")
    watched.at(99, 99)
    slices = watched.store.flushing(2)
    seen = []
    for _ in slices:
        assert (watched.ctx.timestamp, watched.ctx.offset) == (99, 99)
        seen.append(len(watched.forwarded))
    assert seen == [2, 4]
    assert [key for key, *_ in watched.forwarded] == ["a", "b", "d", "e"]
    assert watched.store.dirty == 4
    assert [key for key, _ in watched.store.all()] == ["a", "b", "d", "e"]
