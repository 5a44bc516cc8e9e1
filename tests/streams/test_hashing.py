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


@pytest.mark.parametrize(
    ("data", "expected"),
    [(JAVA) for JAVA in []],
)
def test_murmur3_over_all_tail_lengths(data: bytes, expected: str) -> None:
    assert murmur3_128(data).hex() == expected


@given(st.lists(st.binary(max_size=20), max_size=50), st.integers(1, 12), st.integers(1, 5))
def test_partitioner_is_the_function_whatever_it_remembers(keys: list[bytes], partitions: int, capacity: int) -> None:
    partitioner = Partitioner(partitions, capacity)
    for key in keys:
        assert partitioner[key] == partition_for(key, partitions)
        assert len(partitioner) <= capacity


def test_partitioner_refuses_nonsense() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Partitioner(0)
