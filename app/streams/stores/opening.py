"""From a spec to a living store."""

from __future__ import annotations

from typing import Any, Required, TypeAlias, TypedDict, Unpack

from app.streams.context import Context
from app.streams.stores import session, versioned, window
from app.streams.stores.base import Base
from app.streams.stores.caching import (
    CachingKeyValueStore,
    CachingSessionStore,
    CachingTimestampedKeyValueStore,
    CachingWindowStore,
)
from app.streams.stores.grace_buffer import GraceBuffer
from app.streams.stores.key_value import KeyValueStore, TimestampedKeyValueStore
from app.streams.stores.lru import LruStore
from app.streams.stores.memory import MemoryBase
from app.streams.stores.outer_join import OuterJoinStore
from app.streams.stores.record_cache import RecordCache
from app.streams.stores.session import SessionStore
from app.streams.stores.specs import (
    GraceSpec,
    KeyValueSpec,
    LruSpec,
    OuterJoinSpec,
    SessionSpec,
    StoreSpec,
    SuppressSpec,
    VersionedSpec,
    WindowSpec,
)
from app.streams.stores.store import Home
from app.streams.stores.suppress_buffer import SuppressBuffer
from app.streams.stores.versioned import VersionedStore
from app.streams.stores.window import WindowStore

AnyStore: TypeAlias = (
    KeyValueStore[Any, Any]
    | TimestampedKeyValueStore[Any, Any]
    | WindowStore[Any, Any]
    | SessionStore[Any, Any]
    | VersionedStore[Any, Any]
    | OuterJoinStore
    | SuppressBuffer
    | GraceBuffer
)


def key_layout(spec: StoreSpec) -> tuple[int, int]:
    """Bytes of a row's key that name its segment, and that follow its group: what a base for this store must know."""
    match spec:
        case WindowSpec():
            return window.PREFIX, window.SUFFIX
        case SessionSpec():
            return session.PREFIX, session.SUFFIX
        case VersionedSpec():
            return 0, versioned.SUFFIX
        case _:
            return 0, 0


def memory_base(spec: StoreSpec) -> MemoryBase:
    """An empty base in memory. Kept while the store is thrown away, it is what survives a crash of the task."""
    return MemoryBase(*key_layout(spec))


class Place(TypedDict, total=False):
    """The fields of `Home` that are the store's own; `subject`, `changelog` and `partition` must be given."""

    subject: Required[str]
    changelog: Required[str | None]
    partition: Required[int]
    every_put: bool
    cache: RecordCache | None


def open_store(spec: StoreSpec, base: Base, ctx: Context, **place: Unpack[Place]) -> AnyStore:
    """The store over what `base` holds committed."""
    home = Home(base=base, ctx=ctx, **place)
    match spec:
        case KeyValueSpec():
            return _key_value(spec, home)
        case LruSpec():
            return LruStore(spec, home)
        case WindowSpec():
            # Java leaves the cache out where every put has a key of its own.
            if home.cache is not None and spec.caching and not spec.retain_duplicates:
                return CachingWindowStore(spec, home, home.cache)
            return WindowStore(spec, home)
        case SessionSpec():
            if home.cache is not None and spec.caching:
                return CachingSessionStore(spec, home, home.cache)
            return SessionStore(spec, home)
        case VersionedSpec():
            return VersionedStore(spec, home)
        case OuterJoinSpec():
            return OuterJoinStore(spec, home)
        case SuppressSpec():
            return SuppressBuffer(spec, home)
        case GraceSpec():
            return GraceBuffer(spec, home)
        case _:
            raise TypeError(f"{type(spec).__name__} is no kind of store")


def _key_value(spec: KeyValueSpec, home: Home) -> AnyStore:
    if home.cache is not None and spec.caching:
        if spec.timestamped:
            return CachingTimestampedKeyValueStore(spec, home, home.cache)
        return CachingKeyValueStore(spec, home, home.cache)
    return TimestampedKeyValueStore(spec, home) if spec.timestamped else KeyValueStore(spec, home)
