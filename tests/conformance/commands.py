"""Store commands of the format (FORMAT §5): words in, a text out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeAlias

from app.streams.errors import StoreRefused
from app.streams.serdes import utf8
from app.streams.stores.specs import KeyValueSpec
from tests.conformance.values import UnknownName, from_word, text

# (store, key, command, timestamp) -> result
Commands: TypeAlias = Callable[[Any, Any, Any, int], str]

REFUSED = (StoreRefused,)


class Words:
    """The words of one command, read as the types of a store; `-` is null."""

    def __init__(self, store: Any, words: list[str]) -> None:
        self._spec, self._words = store.spec, words

    def __len__(self) -> int:
        return len(self._words)

    def key(self, at: int) -> Any:
        return None if self._words[at] == "-" else from_word(self._spec.key, self._words[at])

    def value(self, at: int) -> Any:
        return None if self._words[at] == "-" else from_word(self._spec.value, self._words[at])

    def text(self, at: int) -> str:
        return self._words[at]

    def time(self, at: int) -> int:
        return int(self._words[at])

    def times(self, first: int) -> tuple[int, int]:
        return self.time(first), self.time(first + 1)

    def keys(self, first: int) -> tuple[Any, Any]:
        return self.key(first), self.key(first + 1)


def _listed(entries: Iterable[str]) -> str:
    return "[" + ",".join(entries) + "]"


def _checked(run: Callable[[Any, Any, str, Words, int], str]) -> Commands:
    def checked(store: Any, key: Any, command: Any, timestamp: int) -> str:
        verb, *words = str(command).split(" ")
        try:
            return run(store, key, verb, Words(store, words), timestamp)
        except REFUSED:
            return "refused"

    return checked


def _key_value(store: Any, key: Any, verb: str, words: Words, timestamp: int) -> str:
    stamped = isinstance(store.spec, KeyValueSpec) and store.spec.timestamped
    at = (timestamp,) if stamped else ()

    def shown(found: Any) -> str:
        return f"{text(found[0])}@{found[1]}" if stamped and found is not None else text(found)

    def rows(found: Iterable[tuple[Any, Any]]) -> str:
        return _listed(f"{text(k)}={shown(v)}" for k, v in found)

    def put_all() -> str:
        pairs = [(words.key(n), words.value(n + 1)) for n in range(0, len(words), 2)]
        store.put_all([(k, v, *at) for k, v in pairs])
        return "ok"

    def put() -> str:
        store.put(key, words.value(0), *at)
        return "ok"

    verbs: dict[str, Callable[[], str]] = {
        "put": put,
        "absent": lambda: shown(store.put_if_absent(key, words.value(0), *at)),
        "del": lambda: shown(store.delete(key)),
        "get": lambda: shown(store.get(key)),
        "range": lambda: rows(store.range(*words.keys(0))),
        "rrange": lambda: rows(store.reverse_range(*words.keys(0))),
        "all": lambda: rows(store.all()),
        "rall": lambda: rows(store.reverse_all()),
        "prefix": lambda: rows(store.prefix_scan(words.text(0), utf8.serializer(""))),
        "putall": put_all,
    }
    return _run(verbs, verb)


def _window(store: Any, key: Any, verb: str, words: Words, timestamp: int) -> str:
    stamped = store.spec.timestamped

    def shown(found: Any) -> str:
        return f"{text(found[0])}@{found[1]}" if stamped and found is not None else text(found)

    def starts(found: Iterable[tuple[int, Any]]) -> str:
        return _listed(f"{start}={shown(value)}" for start, value in found)

    def rows(found: Iterable[tuple[Any, Any]]) -> str:
        return _listed(f"{text(at.key)}@{at.start}={shown(value)}" for at, value in found)

    def put() -> str:
        extra = (timestamp,) if stamped else ()
        store.put(key, words.value(0), words.time(1), *extra)
        return "ok"

    verbs: dict[str, Callable[[], str]] = {
        "put": put,
        "get": lambda: shown(store.get(key, words.time(0))),
        "fetch": lambda: starts(store.fetch(key, *words.times(0))),
        "rfetch": lambda: starts(store.backward_fetch(key, *words.times(0))),
        "fetchk": lambda: rows(store.fetch_keys(*words.keys(0), *words.times(2))),
        "rfetchk": lambda: rows(store.backward_fetch_keys(*words.keys(0), *words.times(2))),
        "fetchall": lambda: rows(store.fetch_all(*words.times(0))),
        "rfetchall": lambda: rows(store.backward_fetch_all(*words.times(0))),
        "all": lambda: rows(store.all()),
        "rall": lambda: rows(store.backward_all()),
    }
    return _run(verbs, verb)


def _session(store: Any, key: Any, verb: str, words: Words, _timestamp: int) -> str:
    def rows(found: Iterable[tuple[Any, Any]]) -> str:
        return _listed(f"{text(at.key)}@{at.start}-{at.end}={text(value)}" for at, value in found)

    def put() -> str:
        store.put(key, *words.times(1), words.value(0))
        return "ok"

    def remove() -> str:
        store.remove(key, *words.times(0))
        return "ok"

    verbs: dict[str, Callable[[], str]] = {
        "put": put,
        "del": remove,
        "get": lambda: text(store.get(key, *words.times(0))),
        "find": lambda: rows(store.find_sessions(key, *words.times(0))),
        "rfind": lambda: rows(store.backward_find_sessions(key, *words.times(0))),
        "findk": lambda: rows(store.find_sessions_of_keys(*words.keys(0), *words.times(2))),
        "fetch": lambda: rows(store.fetch(key)),
        "rfetch": lambda: rows(store.backward_fetch(key)),
    }
    return _run(verbs, verb)


def _versioned(store: Any, key: Any, verb: str, words: Words, _timestamp: int) -> str:
    def shown(found: Any) -> str:
        if found is None:
            return "null"
        value, valid_from, valid_to = found
        return f"{text(value)}@{valid_from}-{'' if valid_to is None or valid_to < 0 else valid_to}"

    verbs: dict[str, Callable[[], str]] = {
        "put": lambda: str(store.put(key, words.value(0), words.time(1))),
        "del": lambda: shown(store.delete(key, words.time(0))),
        "get": lambda: shown(store.get(key)),
        "asof": lambda: shown(store.get(key, words.time(0))),
    }
    return _run(verbs, verb)


def _run(verbs: dict[str, Callable[[], str]], verb: str) -> str:
    if verb not in verbs:
        raise UnknownName(f"store command {verb}")
    return verbs[verb]()


COMMANDS: dict[str, Commands] = {
    "kv": _checked(_key_value),
    "window": _checked(_window),
    "session": _checked(_session),
    "versioned": _checked(_versioned),
}
