"""Generated names (reference 2.1): one counter per builder, shared by nodes and stores, taken in call order."""

from __future__ import annotations

import re

LEGAL = re.compile(r"[a-zA-Z0-9._-]+")
GENERATED = re.compile(r"KSTREAM.*-[0-9]{10}")
GENERATED_PART = re.compile(r"(KSTREAM|KTABLE)-[A-Z-]+-[0-9]{10}|STATE-STORE-[0-9]{10}")
LONGEST = 249


class Names:
    """Hands out names; an index is burnt by every call, named or not."""

    def __init__(self) -> None:
        self._next = 0

    def take(self) -> str:
        """The next index, as ten digits."""
        index = self._next
        self._next += 1
        return f"{index:010}"

    def node(self, prefix: str, given: str | None = None) -> str:
        """`given`, or the prefix with the next index. A given name burns the index too."""
        index = self.take()
        return given if given is not None else prefix + index

    def store(self, prefix: str, given: str | None = None) -> str:
        """The name of a store; with a given name no index is burnt, unlike for nodes."""
        return given if given is not None else f"{prefix}STATE-STORE-{self.take()}"


def is_generated(name: str) -> bool:
    """Whether a repartition prefix looks generated, so that its three nodes get generated names as well."""
    return GENERATED.fullmatch(name) is not None


def has_generated_part(name: str) -> bool:
    """Whether a store or internal topic would be renamed by one more operator above it (J3)."""
    return GENERATED_PART.search(name) is not None


def name_fault(kind: str, name: str) -> str | None:
    """Why Kafka would refuse this name, or None."""
    if not name:
        return f"{kind} name is empty"
    if name in (".", ".."):
        return f"{kind} name {name!r} is not allowed"
    if len(name) > LONGEST:
        return f"{kind} name {name[:40]}… has {len(name)} characters, more than {LONGEST}"
    if not LEGAL.fullmatch(name):
        return f"{kind} name {name!r} has characters other than ASCII letters, digits, '.', '_' and '-'"
    return None
