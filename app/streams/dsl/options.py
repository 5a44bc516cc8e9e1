"""Options that several methods of the DSL share, as small frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Generic, TypeAlias, TypeVar

from app.streams.stores.specs import KeyValueSpec, LoggedHeaders, StoreSpec, VersionedSpec

if TYPE_CHECKING:
    from app.streams.config import StreamsConfig
    from app.streams.serdes import Serde

K = TypeVar("K")
V = TypeVar("V")
V2 = TypeVar("V2")
R = TypeVar("R")


@dataclass(frozen=True)
class Materialized(Generic[K, V]):
    """How a result is kept (C9): the name it can be queried by, serdes, caching, changelog, kind of store.

    persistent None: as the configuration says. retention and versioned (history retention) in ms.
    """

    name: str | None = None
    key: Serde[K] | None = None
    value: Serde[V] | None = None
    caching: bool = True
    logging: bool = True
    retention: int | None = None
    persistent: bool | None = None
    versioned: int | None = None
    log_config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class WithKey(Generic[K, V, V2, R]):
    """A joiner that is given the key as well (Java: ValueJoinerWithKey)."""

    join: Callable[[K, V, V2], R]


# (left value, right value) -> result, or with the key in front.
Joiner: TypeAlias = Callable[[V, V2], R] | WithKey[K, V, V2, R]


def joiner_of(joiner: Any) -> Callable[[Any, Any, Any], Any]:
    """Every joiner as (key, left, right) -> result."""
    if isinstance(joiner, WithKey):
        return joiner.join
    return lambda _key, left, right: joiner(left, right)


@dataclass(frozen=True)
class StreamJoined(Generic[K, V, V2]):
    """Options of a stream-stream join. `name` names the nodes, only `store_name` the stores (reference 2.1)."""

    key: Serde[K] | None = None
    value: Serde[V] | None = None
    other_value: Serde[V2] | None = None
    name: str | None = None
    store_name: str | None = None
    persistent: bool | None = None
    logging: bool = True


@dataclass(frozen=True)
class Joined(Generic[K, V, V2]):
    """Options of a stream-table join. grace in ms: how long stream records wait for the table (F11)."""

    key: Serde[K] | None = None
    value: Serde[V] | None = None
    other_value: Serde[V2] | None = None
    name: str | None = None
    grace: int | None = None


@dataclass(frozen=True, slots=True)
class Keeping:
    """A `Materialized` with its gaps filled: what the write of a graph node makes a store spec from."""

    name: str
    queryable: bool
    key: Serde[Any] | None
    value: Serde[Any] | None
    given: Materialized[Any, Any]

    def timestamped(self, config: StreamsConfig, default_value: Serde[Any] | None = None) -> StoreSpec:
        """The DSL's default store: timestamped key-value, or versioned if asked for (I2, I6)."""
        given = self.given
        common: dict[str, Any] = {
            "name": self.name,
            "key": self.key or config.default_key,
            "value": self.value or default_value or config.default_value,
            "persistent": persistent(given, config),
            "logging": given.logging,
            "log_config": given.log_config,
        }
        if given.versioned is not None:
            return VersionedSpec(history=given.versioned, **common)
        caching = given.caching and config.cache_bytes > 0
        headers = logged_headers(config, persistent=common["persistent"])
        return KeyValueSpec(timestamped=True, caching=caching, log_headers=headers, **common)


def persistent(given: Materialized[Any, Any], config: StreamsConfig) -> bool:
    return config.persistent_stores if given.persistent is None else given.persistent


def logged_headers(config: StreamsConfig, *, persistent: bool) -> LoggedHeaders:
    """What changelogs of the DSL's tables hold of headers (I10). Java's stores in memory have no such format."""
    return LoggedHeaders.DELETIONS if config.headers_in_stores and persistent else LoggedHeaders.NONE


def serde_or_default(serde: Serde[Any] | None, default: Serde[Any] | None) -> Any:
    """The serde, else the configured default; None if there is neither, which the topology's check reports."""
    return serde if serde is not None else default


def known_serde(given: Serde[Any] | None, default: Serde[Any] | None, known: Serde[Any] | None) -> Serde[Any] | None:
    """For steps that in Java inherit no serde: the given one, else None where a default is configured, which Java
    takes even if the stream has another. Without a default Java fails; then what is known of the stream holds."""
    if given is not None or default is not None:
        return given
    return known
