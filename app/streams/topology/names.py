"""Generated names (reference 2.1): one counter per builder, shared by nodes and stores, taken in call order."""

from __future__ import annotations

import re

LEGAL = re.compile(r"[a-zA-Z0-9._-]+")
GENERATED = re.compile(r"KSTREAM.*-[0-9]{10}")
LONGEST = 249


class Names:
    """Hands out names; an index is burnt by every call, named or not.

    faults: why Kafka would refuse names that were given. implicit: names of stores and internal topics that nobody
    gave; one more operator above would change them (J3).
    """

    def __init__(self) -> None:
        self._next = 0
        self.faults: list[str] = []
        self.implicit: list[str] = []

    def take(self) -> str:
        """The next index, as ten digits."""
        index = self._next
        self._next += 1
        return f"{index:010}"

    def node(self, prefix: str, given: str | None = None) -> str:
        """`given`, or the prefix with the next index. A given name burns the index too."""
        index = self.take()
        return self.given(given) if given is not None else prefix + index

    def given(self, name: str) -> str:
        """A node's name from the user, checked (J2)."""
        fault = name_fault("node", name)
        if fault is not None:
            self.faults.append(fault)
        return name

    def store(self, prefix: str, given: str | None = None) -> str:
        """The name of a store; with a given name no index is burnt, unlike for nodes."""
        if given is not None:
            return given
        name = f"{prefix}STATE-STORE-{self.take()}"
        self.implicit.append(name)
        return name


def is_generated(name: str) -> bool:
    """Whether a repartition prefix looks generated, so that its three nodes get generated names as well."""
    return GENERATED.fullmatch(name) is not None


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
