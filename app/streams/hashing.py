"""The hash functions whose results are on the wire: murmur2 chooses partitions, Murmur3 marks foreign-key replies."""

from __future__ import annotations

from struct import iter_unpack, unpack_from

_MASK_32 = 0xFFFFFFFF
_MASK_64 = 0xFFFFFFFFFFFFFFFF
_SIGN_MASK = 0x7FFFFFFF

_MURMUR2_SEED = 0x9747B28C
_MURMUR2_M = 0x5BD1E995

_MURMUR3_SEED = 104729
_C1 = 0x87C37B91114253D5
_C2 = 0x4CF5AD432745937F


def murmur2(data: bytes) -> int:
    """Java's `Utils.murmur2`: signed 32 bit."""
    length = len(data)
    h = (_MURMUR2_SEED ^ length) & _MASK_32
    words = length >> 2
    for k in unpack_from(f"<{words}I", data):
        k = (k * _MURMUR2_M) & _MASK_32
        k ^= k >> 24
        h = ((h * _MURMUR2_M) & _MASK_32) ^ ((k * _MURMUR2_M) & _MASK_32)
    tail = data[words << 2 :]
    if tail:
        h = ((h ^ int.from_bytes(tail, "little")) * _MURMUR2_M) & _MASK_32
    h ^= h >> 13
    h = (h * _MURMUR2_M) & _MASK_32
    h ^= h >> 15
    return h - (1 << 32) if h & 0x80000000 else h


def partition_for(key: bytes, partitions: int) -> int:
    """The partition Java's producer gives a key: the sign bit is masked away, not negated."""
    return (murmur2(key) & _SIGN_MASK) % partitions


class Partitioner(dict[bytes, int]):
    """Key → partition of one topic, remembered for at most `capacity` keys; call it as `partitioner[key]`.

    Hashing in Python costs microseconds and keys repeat, a dictionary lookup costs tens of nanoseconds. When full it
    starts anew: refilling costs one hash a key, tracking the order of use would cost as much on every look-up.
    """

    __slots__ = ("_capacity", "_partitions")

    def __init__(self, partitions: int, capacity: int = 100_000) -> None:
        super().__init__()
        if partitions < 1 or capacity < 1:
            raise ValueError(f"partitions and capacity must be at least 1, got {partitions} and {capacity}")
        self._partitions = partitions
        self._capacity = capacity

    def __missing__(self, key: bytes) -> int:
        if len(self) >= self._capacity:
            self.clear()
        partition = self[key] = partition_for(key, self._partitions)
        return partition


def murmur3_128(data: bytes, seed: int = _MURMUR3_SEED) -> bytes:
    """Murmur3 x64 128 bit as two big-endian longs, with the seed of Java's `state.internals.Murmur3`."""
    length = len(data)
    end = length & ~15
    h1 = h2 = seed
    # _mix and _rotate written out, for a call costs more than they do. Sums and products only need their lowest 64 bits
    # at the end, so the mask comes once a line.
    for first, second in iter_unpack("<QQ", data[:end]):
        k = first * _C1 & _MASK_64
        h1 ^= (k << 31 | k >> 33) * _C2 & _MASK_64
        h1 = ((h1 << 27 | h1 >> 37) + h2) * 5 + 0x52DCE729 & _MASK_64
        k = second * _C2 & _MASK_64
        h2 ^= (k << 33 | k >> 31) * _C1 & _MASK_64
        h2 = ((h2 << 31 | h2 >> 33) + h1) * 5 + 0x38495AB5 & _MASK_64
    tail = data[end:]
    # A part of the tail that is not there mixes to zero.
    h2 ^= _mix(int.from_bytes(tail[8:], "little"), _C2, 33, _C1)
    h1 ^= _mix(int.from_bytes(tail[:8], "little"), _C1, 31, _C2)
    h1 ^= length
    h2 ^= length
    h1 = (h1 + h2) & _MASK_64
    h2 = (h2 + h1) & _MASK_64
    h1, h2 = _finish(h1), _finish(h2)
    h1 = (h1 + h2) & _MASK_64
    h2 = (h2 + h1) & _MASK_64
    return ((h1 << 64) | h2).to_bytes(16, "big")


def _rotate(value: int, bits: int) -> int:
    return ((value << bits) | (value >> (64 - bits))) & _MASK_64


def _mix(k: int, first: int, bits: int, second: int) -> int:
    return (_rotate((k * first) & _MASK_64, bits) * second) & _MASK_64


def _finish(h: int) -> int:
    h ^= h >> 33
    h = (h * 0xFF51AFD7ED558CCD) & _MASK_64
    h ^= h >> 33
    h = (h * 0xC4CEB9FE1A85EC53) & _MASK_64
    return h ^ (h >> 33)
