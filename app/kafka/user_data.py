"""What members of a group tell one another through their assignor, as bytes (Java: SubscriptionInfo, AssignmentInfo).

Every version, whatever else it may hold, begins with the fields of `Envelope`: so a member can read why it is refused
by a leader of any version. JSON, compressed where it is long: an operator can read it with the broker's own tools.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from typing import TypeVar

import msgspec

from app.streams.assignment import Duties
from app.streams.model import TaskId

VERSION = 1
SUPPORTED = 1
"""The oldest version that is still understood."""
LARGEST = 16 * 1024 * 1024
"""Bytes after decompression; a hundred members of a thousand tasks need a tenth of it."""
_COMPRESS_FROM = 512
_HIGHEST = 2**63 - 1
_TASK = re.compile(r"([0-9]{1,9})_([0-9]{1,9})")

T = TypeVar("T")


class Unreadable(Exception):
    """User data that this version does not understand; says why, in half a sentence."""


class Envelope(msgspec.Struct, frozen=True, omit_defaults=True):
    """error: fatal for the member that is told so. wait: why there are no tasks for it now; it stays."""

    v: int
    supported: int = SUPPORTED
    error: str = ""
    wait: str = ""


class Subscription(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a member says of itself when it joins.

    digest: of its topology. lags: changelog records that each of its copies lacks. known: transactional ids of the last
    generation, the dead included. fenced: those of them that are settled. nonce: changes when the member wants a new
    plan, since a broker does not bother the others for a member that says what it said before.
    """

    v: int
    process: str
    transactional_id: str | None
    address: str | None
    digest: str
    supported: int = SUPPORTED
    running: tuple[str, ...] = ()
    lags: dict[str, int] = {}
    known: tuple[str, ...] = ()
    fenced: tuple[str, ...] = ()
    nonce: int = 0


class PeerData(msgspec.Struct, frozen=True, array_like=True):
    process: str
    transactional_id: str | None
    address: str | None
    active: tuple[str, ...]
    standby: tuple[str, ...]


class Assignment(msgspec.Struct, frozen=True, omit_defaults=True):
    """What the leader tells a member. process, transactional_id, address, digest: of the one it is for; a static member
    that was restarted finds what its predecessor was told.

    counts: partitions of every topic that is read; dead: transactional ids to fence before offsets are read.
    """

    v: int
    process: str = ""
    transactional_id: str | None = None
    address: str | None = None
    digest: str = ""
    supported: int = SUPPORTED
    error: str = ""
    wait: str = ""
    active: tuple[str, ...] = ()
    standby: tuple[str, ...] = ()
    warmups: tuple[str, ...] = ()
    peers: tuple[PeerData, ...] = ()
    dead: tuple[str, ...] = ()
    counts: dict[str, int] = {}


def encode(data: Subscription | Assignment | Envelope) -> bytes:
    raw = msgspec.json.encode(data)
    return zlib.compress(raw, 6) if len(raw) >= _COMPRESS_FROM else raw


def read_subscription(raw: bytes | None) -> Subscription:
    """Raises Unreadable."""
    return _read(raw, Subscription)


def read_assignment(raw: bytes | None) -> Assignment:
    """Raises Unreadable. A refusal is readable whatever its version."""
    text = _inflated(raw)
    envelope = _envelope(text)
    if envelope.error or envelope.wait:
        return Assignment(v=envelope.v, error=envelope.error, wait=envelope.wait)
    return _read(raw, Assignment)


def tasks_of(names: tuple[str, ...] | dict[str, int]) -> tuple[TaskId, ...]:
    return tuple(task_of(name) for name in names)


def task_of(name: str) -> TaskId:
    """Raises ValueError."""
    if (found := _TASK.fullmatch(name)) is None:
        raise ValueError(f"{name!r} names no task")
    return TaskId(int(found[1]), int(found[2]))


def duties_of(told: Assignment) -> Duties:
    return Duties(tasks_of(told.active), tasks_of(told.standby), tasks_of(told.warmups))


def names_of(tasks: tuple[TaskId, ...] | frozenset[TaskId]) -> tuple[str, ...]:
    return tuple(str(task) for task in sorted(tasks))


def lags_as_text(lags: Mapping[TaskId, int]) -> dict[str, int]:
    return {str(task): min(max(lag, 0), _HIGHEST) for task, lag in sorted(lags.items())}


def _read(raw: bytes | None, kind: type[T]) -> T:
    text = _inflated(raw)
    version = _envelope(text)
    if version.supported > VERSION:
        raise Unreadable(f"it speaks version {version.v}, down to {version.supported}, and this one up to {VERSION}")
    if version.v < SUPPORTED:
        raise Unreadable(f"it speaks version {version.v}, and this one from {SUPPORTED} on")
    try:
        found = msgspec.json.decode(text, type=kind)
        _check_tasks(found)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable(f"its data of version {version.v} do not fit: {error}") from error
    return found


def _check_tasks(found: object) -> None:
    """Raises ValueError for a task's name that is none."""
    if isinstance(found, Subscription):
        tasks_of(found.running)
        tasks_of(found.lags)
    elif isinstance(found, Assignment):
        duties_of(found)
        for peer in found.peers:
            tasks_of(peer.active + peer.standby)


def _envelope(text: bytes) -> Envelope:
    try:
        return msgspec.json.decode(text, type=Envelope)
    except (msgspec.DecodeError, ValueError, RecursionError) as error:
        raise Unreadable("it sends data of another kind") from error


def _inflated(raw: bytes | None) -> bytes:
    if not raw:
        raise Unreadable("it sends no data")
    if raw[:1] != b"\x78":  # zlib's first byte
        return raw
    inflator = zlib.decompressobj()
    try:
        text = inflator.decompress(raw, LARGEST)
    except zlib.error as error:
        raise Unreadable("it sends damaged data") from error
    if not inflator.eof:
        raise Unreadable("its data are cut off, or more than anybody means to send")
    return text
