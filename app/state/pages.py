"""Every page, every link and every row of a data file of LMDB 0.9, read as bytes: what LMDB maps it trusts.

A file is two heads and then pages that are each in one tree, or free. Each page must be reached once; the keys of a
page must lie between those that lead to it, which also keeps those of a whole tree in order; trees must count what they
hold; each row must carry its checksum. Only what this service writes is known: no duplicate keys, and databases of rows
within the first one, which has no rows of its own. Integers are in the byte order of the machine.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple, NoReturn, TypeAlias
from zlib import crc32

from app.state.environment import RESIDUE
from app.state.inspection import FileDamaged, Heads, read_heads

_HEAD: Final = struct.Struct("=QHHHH")
"""Its number, unused, what kind of page it is, the end of its slots, the begin of its nodes."""
_SLOTS: Final = _HEAD.size
_NODE: Final = struct.Struct("=HHHH")
"""Two halves of a size, flags, the size of the key; in a branch the first three are the number of a page."""
_TREE: Final = struct.Struct("=IHHQQQQQ")
_NUMBER: Final = struct.Struct("=Q")
_BRANCH, _LEAF, _LARGE = 0x01, 0x02, 0x04
_IN_PAGES, _DATABASE = 0x01, 0x02
_DUPLICATES: Final = 0x74
_NO_PAGE: Final = 2**64 - 1
_DEEPEST: Final = 32
_HEADS: Final = 2
# Pages that are named and not in the file are free ones that were never written. So many are possible.
_UNWRITTEN: Final = 1 << 20

_Bound: TypeAlias = Any
"""A key as it is compared: bytes, or the integer that they are."""


class _Counts(NamedTuple):
    """large: pages of rows that are too large for a leaf."""

    branches: int
    leaves: int
    large: int
    rows: int


@dataclass(slots=True)
class _Tree:
    """order: of its keys. least: no key is below it. leaf: what looks at the rows of one leaf, and gives the first and
    the last key."""

    name: str
    depth: int
    root: int
    told: _Counts
    order: Callable[[bytes], _Bound]
    least: _Bound
    leaf: Callable[[_Tree, bytes, memoryview, int], tuple[_Bound, _Bound]]
    branches: int = 0
    leaves: int = 0
    large: int = 0
    rows: int = 0

    def found(self) -> _Counts:
        return _Counts(self.branches, self.leaves, self.large, self.rows)


def check_pages(path: Path) -> None:
    """Raises FileDamaged. Some 200 MB a second."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _Walk(descriptor, path.name, read_heads(path)).all()
    except struct.error as error:
        raise FileDamaged(f"{path.name}: a page ends in the middle of something: {error}") from error
    finally:
        os.close(descriptor)


class _Walk:
    def __init__(self, descriptor: int, name: str, heads: Heads) -> None:
        self._descriptor = descriptor
        self._name = name
        self._heads = heads
        self._size = heads.page_size
        there = os.fstat(descriptor).st_size // self._size
        if not _HEADS <= heads.pages <= there + max(there, _UNWRITTEN):
            self._fail(f"its head tells of {heads.pages} pages, and it has {there}")
        self._seen = bytearray(heads.pages)
        self._seen[:_HEADS] = b"\x01" * _HEADS
        self._databases: list[_Tree] = []

    def all(self) -> None:
        self._tree(self._known("the list of free pages", self._heads.free, _native, -1, self._free))
        self._tree(self._known("the list of databases", self._heads.main, bytes, b"", self._listed))
        for database in self._databases:
            self._tree(database)
        if 0 in self._seen:
            self._fail(f"page {self._seen.find(0)} is neither free nor in use")

    def _fail(self, what: str) -> NoReturn:
        raise FileDamaged(f"{self._name}: {what}")

    # trees

    def _known(
        self,
        name: str,
        record: bytes,
        order: Callable[[bytes], _Bound],
        least: _Bound,
        leaf: Callable[[_Tree, bytes, memoryview, int], tuple[_Bound, _Bound]],
    ) -> _Tree:
        pad, flags, depth, branches, leaves, large, rows, root = _TREE.unpack(record)
        # In the first one these say how large a page is, and how the file was opened.
        if flags & _DUPLICATES or (order is bytes and (pad or flags)):
            self._fail(f"{name} is of a kind that is not written here")
        return _Tree(name, depth, root, _Counts(branches, leaves, large, rows), order, least, leaf)

    def _tree(self, tree: _Tree) -> None:
        if tree.depth > _DEEPEST or (tree.root == _NO_PAGE) != (tree.depth == 0):
            self._fail(f"{tree.name} cannot be {tree.depth} pages deep")
        if tree.depth:
            self._page(tree, tree.root, 1, (tree.least, None))
        if tree.found() != tree.told:
            self._fail(f"{tree.name} holds {tree.found()}, and says {tree.told}")

    def _page(self, tree: _Tree, number: int, depth: int, between: tuple[_Bound, _Bound]) -> None:
        page = self._read(number, 1)
        itself, _, kind, lower, upper = _HEAD.unpack_from(page)
        if itself != number or kind != (_LEAF if depth == tree.depth else _BRANCH):
            self._fail(f"page {number} is not the one of {tree.name} that is looked for")
        if not _SLOTS < lower <= upper <= self._size or lower % 2:
            self._fail(f"page {number} has its rows outside of it")
        slots = memoryview(page)[_SLOTS:lower].cast("H")
        if depth < tree.depth:
            tree.branches += 1
            self._branch(tree, page, slots, upper, depth, between)
            return
        tree.leaves += 1
        tree.rows += len(slots)
        first, last = tree.leaf(tree, page, slots, upper)
        least, above = between
        if first < least or (above is not None and last >= above):
            self._fail(f"page {number} has keys that are looked for elsewhere")

    def _branch(
        self, tree: _Tree, page: bytes, slots: memoryview, upper: int, depth: int, between: tuple[_Bound, _Bound]
    ) -> None:
        children: list[int] = []
        bounds = [between[0]]
        for at in slots:
            low, high, highest, key_size = _NODE.unpack_from(page, at)
            end = at + _NODE.size + key_size
            if at < upper or end > self._size:
                self._fail("a link is outside of its page")
            if children:  # the first one has no key: it leads to all that is less than the second
                bounds.append(tree.order(page[at + _NODE.size : end]))
            children.append(low | high << 16 | highest << 32)
        # Links out of order leave no room between them for the keys of a leaf, which has some.
        for child, below in zip(children, pairwise([*bounds, between[1]]), strict=True):
            self._page(tree, child, depth + 1, below)

    # leaves

    def _rows(self, tree: _Tree, page: bytes, slots: memoryview, upper: int) -> tuple[_Bound, _Bound]:
        """A million a second or more: nearly all of the time that a file takes."""
        node, size = _NODE.unpack_from, self._size
        last, first = b"", None
        for at in slots:
            low, high, flags, key_size = node(page, at)
            begin = at + 8
            middle = begin + key_size
            key = page[begin:middle]
            if at < upper or key <= last:
                self._fail(f"rows of {tree.name} are out of order")
            if flags:
                value = self._value(tree, page, at)
                if crc32(value, crc32(key)) != RESIDUE:
                    self._fail(f"the row {key[:64].hex()} fails its checksum")
            else:
                end = middle + (low | high << 16)
                # What is sealed lies side by side: key, value, checksum.
                if end > size or crc32(page[begin:end]) != RESIDUE:
                    self._fail(f"the row {key[:64].hex()} fails its checksum")
            last = key
            if first is None:
                first = key
        return first, last

    def _listed(self, tree: _Tree, page: bytes, slots: memoryview, upper: int) -> tuple[_Bound, _Bound]:
        keys = self._keys(tree, page, slots, upper)
        for at, key in zip(slots, keys, strict=True):
            if _NODE.unpack_from(page, at)[2] != _DATABASE:
                self._fail(f"there is a row in {tree.name}")
            record = self._value(tree, page, at)
            self._databases.append(self._known(f"database {key!r}", record, bytes, b"", self._rows))
        return keys[0], keys[-1]

    def _free(self, tree: _Tree, page: bytes, slots: memoryview, upper: int) -> tuple[_Bound, _Bound]:
        """Rows of pages, in falling order, by the transaction that freed them."""
        keys = self._keys(tree, page, slots, upper)
        if keys[0] < 1 or keys[-1] > self._heads.transaction:
            self._fail("pages are freed by a transaction that never was")
        for at in slots:
            value = self._value(tree, page, at)
            numbers = memoryview(value[: len(value) // 8 * 8]).cast("Q")
            if not value or len(value) % 8 or numbers[0] != len(numbers) - 1:
                self._fail("a list of free pages is not as long as it says")
            before = self._heads.pages
            for number in numbers[1:]:
                if not number < before or self._seen[number]:
                    self._fail(f"page {number} is free and something else")
                before = number
                self._seen[number] = 1
        return keys[0], keys[-1]

    def _keys(self, tree: _Tree, page: bytes, slots: memoryview, upper: int) -> list[_Bound]:
        keys = [tree.least]
        for at in slots:
            end = at + _NODE.size + _NODE.unpack_from(page, at)[3]
            key = tree.order(page[at + _NODE.size : end])
            if at < upper or end > self._size or key <= keys[-1]:
                self._fail(f"rows of {tree.name} are out of order")
            keys.append(key)
        return keys[1:]

    def _value(self, tree: _Tree, page: bytes, at: int) -> bytes:
        low, high, flags, key_size = _NODE.unpack_from(page, at)
        begin, size = at + _NODE.size + key_size, low | high << 16
        if flags == _IN_PAGES:
            return self._large(tree, _NUMBER.unpack_from(page, begin)[0], size)
        if flags not in (0, _DATABASE) or begin + size > self._size:
            self._fail(f"a row of {tree.name} is outside of its page, or of a kind that is not written here")
        return page[begin : begin + size]

    def _large(self, tree: _Tree, number: int, size: int) -> bytes:
        count = (_SLOTS + size - 1) // self._size + 1
        pages = self._read(number, count)
        itself, _, kind, low, high = _HEAD.unpack_from(pages)
        if itself != number or kind != _LARGE or low | high << 16 != count:
            self._fail(f"page {number} is not the first of the {count} that are looked for")
        tree.large += count
        return pages[_SLOTS : _SLOTS + size]

    def _read(self, number: int, count: int) -> bytes:
        """Pages that nothing else has."""
        if number + count > len(self._seen) or any(self._seen[number : number + count]):
            self._fail(f"page {number} is not there, or in use twice")
        self._seen[number : number + count] = b"\x01" * count
        data = os.pread(self._descriptor, count * self._size, number * self._size)
        if len(data) < count * self._size:
            self._fail(f"it is cut off in page {number}")
        return data


def _native(key: bytes) -> int:
    number: int = _NUMBER.unpack(key)[0]
    return number
