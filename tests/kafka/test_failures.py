"""Errors of the client in one line of ours."""

import pytest
from aiokafka.errors import KafkaError, NotLeaderForPartitionError, RequestTimedOutError

from app.kafka.failures import describe


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (KafkaError(), "KafkaError"),
        (KafkaError("a\n  b"), "KafkaError: a b"),
        (NotLeaderForPartitionError("t-0"), "[Error 6] NotLeaderForPartitionError: t-0"),
        (RequestTimedOutError(), "[Error 7] RequestTimedOutError"),
        (ValueError("v"), "ValueError: v"),
        (TimeoutError(), "TimeoutError"),
    ],
)
def test_each_names_its_kind_once(error: Exception, line: str) -> None:
    assert describe(error) == line
