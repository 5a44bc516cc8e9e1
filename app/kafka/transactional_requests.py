"""What KIP-447 added to the protocol, in the terms of aiokafka's protocol layer: both need Kafka 2.5."""

from typing import Any

from aiokafka.errors import IncompatibleBrokerVersion
from aiokafka.protocol.api import Request, RequestStruct, Response
from aiokafka.protocol.types import (
    Boolean,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Int64,
    Schema,
    TaggedFields,
)

from app.kafka.group_metadata import GroupMetadata

_text = CompactString("utf-8")

Rows = list[tuple[Any, ...]]
"""One tuple of fields for each row of an array, its tagged fields last."""


Offsets = list[tuple[str, list[tuple[int, int, str]]]]
"""Topic → (partition, offset of the next record, text) of its partitions."""


class TxnOffsetCommitResponse_v3(Response):  # type: ignore[misc]  # noqa: N801  # aiokafka is untyped; its own style
    API_KEY = 28
    API_VERSION = 3
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "errors",
            CompactArray(
                ("topic", _text),
                (
                    "partition_errors",
                    CompactArray(("partition", Int32), ("error_code", Int16), ("tags", TaggedFields)),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class TxnOffsetCommitRequest_v3(RequestStruct):  # type: ignore[misc]  # noqa: N801
    API_KEY = 28
    API_VERSION = 3
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = TxnOffsetCommitResponse_v3
    SCHEMA = Schema(
        ("transactional_id", _text),
        ("group_id", _text),
        ("producer_id", Int64),
        ("producer_epoch", Int16),
        ("generation_id", Int32),
        ("member_id", _text),
        ("group_instance_id", _text),
        (
            "topics",
            CompactArray(
                ("topic", _text),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _text),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("tags", TaggedFields),
    )


class TxnOffsetCommitRequest(Request[TxnOffsetCommitRequest_v3]):  # type: ignore[misc]
    """Offsets that the group's coordinator takes only from a member of the present generation."""

    API_KEY = 28

    def __init__(
        self, transactional_id: str, producer: tuple[int, int], group: GroupMetadata, offsets: Offsets
    ) -> None:
        """`producer`: id and epoch."""
        self._transactional_id = transactional_id
        self._producer = producer
        self._group = group
        self._offsets = offsets

    def prepare(self, versions: dict[int, tuple[int, int]]) -> TxnOffsetCommitRequest_v3:
        _check(versions, self.API_KEY, TxnOffsetCommitRequest_v3.API_VERSION)
        return self.build(TxnOffsetCommitRequest_v3)

    def build(self, request_struct_class: type[TxnOffsetCommitRequest_v3]) -> TxnOffsetCommitRequest_v3:
        group = self._group
        topics: Rows = [
            (topic, [(partition, offset, _NO_LEADER_EPOCH, metadata, {}) for partition, offset, metadata in rows], {})
            for topic, rows in self._offsets
        ]
        return request_struct_class(
            self._transactional_id,
            group.group,
            *self._producer,
            group.generation,
            group.member,
            group.instance,
            topics,
            {},
        )


_NO_LEADER_EPOCH = -1


class OffsetFetchResponse_v7(Response):  # type: ignore[misc]  # noqa: N801
    API_KEY = 9
    API_VERSION = 7
    SCHEMA = Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            CompactArray(
                ("topic", _text),
                (
                    "partitions",
                    CompactArray(
                        ("partition", Int32),
                        ("offset", Int64),
                        ("leader_epoch", Int32),
                        ("metadata", _text),
                        ("error_code", Int16),
                        ("tags", TaggedFields),
                    ),
                ),
                ("tags", TaggedFields),
            ),
        ),
        ("error_code", Int16),
        ("tags", TaggedFields),
    )


class OffsetFetchRequest_v7(RequestStruct):  # type: ignore[misc]  # noqa: N801
    API_KEY = 9
    API_VERSION = 7
    FLEXIBLE_VERSION = True
    RESPONSE_TYPE = OffsetFetchResponse_v7
    SCHEMA = Schema(
        ("group_id", _text),
        (
            "topics",
            CompactArray(("topic", _text), ("partitions", CompactArray(Int32)), ("tags", TaggedFields)),
        ),
        ("require_stable", Boolean),
        ("tags", TaggedFields),
    )


class StableOffsetFetchRequest(Request[OffsetFetchRequest_v7]):  # type: ignore[misc]
    """Committed offsets, or UNSTABLE_OFFSET_COMMIT for a partition whose offset an open transaction may change."""

    API_KEY = 9

    def __init__(self, group: str, partitions: list[tuple[str, list[int]]]) -> None:
        self._group = group
        self._partitions = partitions

    def prepare(self, versions: dict[int, tuple[int, int]]) -> OffsetFetchRequest_v7:
        _check(versions, self.API_KEY, OffsetFetchRequest_v7.API_VERSION)
        return self.build(OffsetFetchRequest_v7)

    def build(self, request_struct_class: type[OffsetFetchRequest_v7]) -> OffsetFetchRequest_v7:
        topics: Rows = [(topic, partitions, {}) for topic, partitions in self._partitions]
        return request_struct_class(self._group, topics, True, {})


def _check(versions: dict[int, tuple[int, int]], key: int, version: int) -> None:
    """aiokafka raises NotImplementedError here, which its sender takes for a crash of its own."""
    lowest, highest = versions.get(key, (0, -1))
    if not lowest <= version <= highest:
        raise IncompatibleBrokerVersion(f"request {key} is needed in version {version}: exactly-once takes Kafka 2.5")
