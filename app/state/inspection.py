"""Whether the data file of a task can be believed. It is read here as bytes: a damaged file is never given to LMDB,
which trusts what it maps and could end the process.

    closed, on the disk         any changed byte is found, by size and checksum of the whole file
    not closed, same boot       the process died and the page cache did not. Every page, link and row of the file is
                                checked (`pages.py`) if it is small or its last life never came to a commit (then it
                                may be what ended it); else the heads of the file alone, and each row when it is read
    not closed, another boot    doubtful: pages of a commit reach the disk in any order

Not found are: a file above the limits whose inner pages were changed after a kill, until LMDB or a row's checksum
stumbles over it; an older copy of the whole directory, put back with its metadata, whose changelogs are still there.
That one is as good as a restart after a pause: what it misses is read from the changelogs.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from zlib import crc32

_CHUNK: Final = 1 << 20
_PAGE_HEAD: Final = 16
_META_PAGE: Final = 8
_MAGIC: Final = 0xBEEFC0DE
_VERSION: Final = 1
# magic, version, address, map size, two databases of 48 bytes, last page, transaction
_META = struct.Struct("=IIQQ48s48sQQ")
# number, unused, flags
_PAGE = struct.Struct("=QHH")
_PAGE_SIZE = struct.Struct("=I")
_LARGEST_PAGE: Final = 0x8000


class FileDamaged(Exception):
    """The data file is not what was written."""


@dataclass(frozen=True, slots=True)
class Heads:
    """Of the newer of the two heads of a data file. free, main: the records of its two first trees. pages: how many
    there are. transaction: the last commit."""

    page_size: int
    free: bytes
    main: bytes
    pages: int
    transaction: int


def checksum(path: Path) -> int:
    """crc32 of the whole file."""
    total = 0
    with path.open("rb", buffering=0) as file:
        while chunk := file.read(_CHUNK):
            total = crc32(chunk, total)
    return total


def read_heads(path: Path) -> Heads:
    """Both have to be sound."""
    with path.open("rb") as file:
        first = file.read(_PAGE_HEAD + _META.size)
        page_size = _head(first, 0).page_size
        if not 512 <= page_size <= _LARGEST_PAGE or page_size & (page_size - 1):
            raise FileDamaged(f"{path.name} has pages of {page_size} bytes")
        file.seek(page_size)
        heads = [_head(first, 0), _head(file.read(_PAGE_HEAD + _META.size), 1)]
    if any(head.page_size != page_size for head in heads):
        raise FileDamaged(f"the heads of {path.name} differ in the size of a page")
    return max(heads, key=lambda head: head.transaction)


def _head(data: bytes, number: int) -> Heads:
    if len(data) < _PAGE_HEAD + _META.size:
        raise FileDamaged("the data file is cut off in its heads")
    itself, _, flags = _PAGE.unpack_from(data)
    if itself != number or not flags & _META_PAGE:
        raise FileDamaged(f"page {number} is no head")
    magic, version, _, _, free, main, last_page, transaction = _META.unpack_from(data, _PAGE_HEAD)
    if magic != _MAGIC or version != _VERSION:
        raise FileDamaged(f"head {number} is not of LMDB's format {_VERSION}")
    if transaction and transaction % 2 != number:
        raise FileDamaged(f"head {number} tells of transaction {transaction}, and they take turns")
    return Heads(_PAGE_SIZE.unpack_from(free)[0], free, main, last_page + 1, transaction)
