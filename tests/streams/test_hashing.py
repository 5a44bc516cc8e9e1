"""Hashes as Java computes them: fixed samples, and the cache in front."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.streams.hashing import Partitioner, murmur2, murmur3_128, partition_for

SAMPLES = [
    (b"", 275646681, 1),
    (b"a", -1563381124, 4),
    (b"ab", 316155434, 4),
    (b"abc", 479470107, 7),
    (b"abcd", -1323649548, 0),
    (b"kafka", -798503068, 0),
    (b"21", -973932308, 0),
    (b"foobar", -790332482, 6),
]


@pytest.mark.parametrize(("key", "signed", "of_ten"), SAMPLES)
def test_murmur2_and_the_sign_mask_are_java_s(key: bytes, signed: int, of_ten: int) -> None:
    assert murmur2(key) == signed
    assert partition_for(key, 10) == of_ten


def test_murmur3_is_java_s() -> None:
    assert murmur3_128(b"1x").hex() == "3e264a69e1cccf595797d04b45ba7dd3"


# Length of the data, hash, murmur2 of the same: read off Java 4.3.1.
BY_LENGTH = [
    (0, "9d2764a018e329428c3cf3b035938518", 275646681),
    (1, "91295810a2f4c319f2def3e6e0bb502b", -1945629538),
    (7, "d1b07ca421cc72afebb23c904080e3d4", 852756944),
    (8, "aba6e3d9b349887b73ee9fb6289c03a6", 427200534),
    (9, "98995c0497d4eac9725865ca9db3af5b", -345342740),
    (15, "2a60f5f6e346dafa2d807c866fb02683", -233135557),
    (16, "e205be1957d26deaa5c2762a558d1953", -1760811250),
    (17, "440faddab6ad82a496690e125b99aa2a", 1760188656),
    (24, "b8e2bc90ce12619e6fd1d9577174b40f", -2065844729),
    (33, "48f7deea7c0b3367a043fbd66b1efd97", -1090685532),
    (49, "bc930c43d7e90337aabcd1b14a86067b", -109155994),
]


@pytest.mark.parametrize(("length", "murmur3", "signed"), BY_LENGTH)
def test_every_kind_of_tail(length: int, murmur3: str, signed: int) -> None:
    data = bytes((i * 37 + 251) & 0xFF for i in range(length))
    assert murmur3_128(data).hex() == murmur3
    assert murmur2(data) == signed


@given(st.lists(st.binary(max_size=20), max_size=50), st.integers(1, 12), st.integers(1, 5))
def test_partitioner_is_the_function_whatever_it_remembers(keys: list[bytes], partitions: int, capacity: int) -> None:
    partitioner = Partitioner(partitions, capacity)
    for key in keys:
        assert partitioner[key] == partition_for(key, partitions)
        assert len(partitioner) <= capacity


def test_partitioner_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Partitioner(0)
