"""The requests about groups and producers that we make ourselves; see `requests`."""

from aiokafka.protocol.types import Array, Boolean, Bytes, Int8, Int16, Int32, Int64, Schema, String

from app.kafka.requests import Api
from app.kafka.transactional_requests import OffsetFetchRequest_v7, OffsetFetchResponse_v7

_text = String("utf-8")

FIND_COORDINATOR = Api(
    "FindCoordinator",
    10,
    1,
    Schema(("key", _text), ("key_type", Int8)),
    Schema(
        ("throttle_time_ms", Int32),
        ("error_code", Int16),
        ("error_message", _text),
        ("node_id", Int32),
        ("host", _text),
        ("port", Int32),
    ),
)
HEARTBEAT = Api(
    "Heartbeat",
    12,
    0,
    Schema(("group_id", _text), ("generation_id", Int32), ("member_id", _text)),
    Schema(("error_code", Int16)),
)
DESCRIBE_GROUPS = Api(
    "DescribeGroups",
    15,
    0,
    Schema(("groups", Array(_text))),
    Schema(
        (
            "groups",
            Array(
                ("error_code", Int16),
                ("group_id", _text),
                ("group_state", _text),
                ("protocol_type", _text),
                ("protocol_data", _text),
                (
                    "members",
                    Array(
                        ("member_id", _text),
                        ("client_id", _text),
                        ("client_host", _text),
                        ("member_metadata", Bytes),
                        ("member_assignment", Bytes),
                    ),
                ),
            ),
        ),
    ),
)
OFFSET_FETCH = Api(
    "OffsetFetch",
    9,
    2,
    Schema(
        ("group_id", _text),
        ("topics", Array(("name", _text), ("partition_indexes", Array(Int32)))),
    ),
    Schema(
        (
            "topics",
            Array(
                ("name", _text),
                (
                    "partitions",
                    Array(
                        ("partition_index", Int32),
                        ("committed_offset", Int64),
                        ("metadata", _text),
                        ("error_code", Int16),
                    ),
                ),
            ),
        ),
        ("error_code", Int16),
    ),
)
DELETE_GROUPS = Api(
    "DeleteGroups",
    42,
    0,
    Schema(("groups_names", Array(_text))),
    Schema(("throttle_time_ms", Int32), ("results", Array(("group_id", _text), ("error_code", Int16)))),
)
INIT_PRODUCER_ID = Api(
    "InitProducerId",
    22,
    0,
    Schema(("transactional_id", _text), ("transaction_timeout_ms", Int32)),
    Schema(("throttle_time_ms", Int32), ("error_code", Int16), ("producer_id", Int64), ("producer_epoch", Int16)),
)
END_TXN = Api(
    "EndTxn",
    26,
    0,
    Schema(("transactional_id", _text), ("producer_id", Int64), ("producer_epoch", Int16), ("committed", Boolean)),
    Schema(("throttle_time_ms", Int32), ("error_code", Int16)),
)
# From Kafka 2.5 (KIP-447) on: UNSTABLE_OFFSET_COMMIT where an open transaction may still change an offset.
STABLE_OFFSET_FETCH = Api(
    "OffsetFetch", 9, 7, OffsetFetchRequest_v7.SCHEMA, OffsetFetchResponse_v7.SCHEMA, flexible=True
)
OFFSET_COMMIT = Api(
    "OffsetCommit",
    8,
    2,
    Schema(
        ("group_id", _text),
        ("generation_id", Int32),
        ("member_id", _text),
        ("retention_time_ms", Int64),
        (
            "topics",
            Array(
                ("name", _text),
                (
                    "partitions",
                    Array(("partition_index", Int32), ("committed_offset", Int64), ("committed_metadata", _text)),
                ),
            ),
        ),
    ),
    Schema(
        (
            "topics",
            Array(("name", _text), ("partitions", Array(("partition_index", Int32), ("error_code", Int16)))),
        ),
    ),
)
