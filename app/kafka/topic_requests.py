"""The requests about topics that we make ourselves; see `requests`."""

from aiokafka.protocol.types import Array, Boolean, Int8, Int16, Int32, Int64, Schema, String

from app.kafka.requests import Api

_text = String("utf-8")

CREATE_TOPICS = Api(
    "CreateTopics",
    19,
    2,
    Schema(
        (
            "topics",
            Array(
                ("name", _text),
                ("num_partitions", Int32),
                ("replication_factor", Int16),
                ("assignments", Array(("partition_index", Int32), ("broker_ids", Array(Int32)))),
                ("configs", Array(("name", _text), ("value", _text))),
            ),
        ),
        ("timeout_ms", Int32),
        ("validate_only", Boolean),
    ),
    Schema(
        ("throttle_time_ms", Int32),
        ("topics", Array(("name", _text), ("error_code", Int16), ("error_message", _text))),
    ),
)
DELETE_TOPICS = Api(
    "DeleteTopics",
    20,
    1,
    Schema(("topic_names", Array(_text)), ("timeout_ms", Int32)),
    Schema(("throttle_time_ms", Int32), ("responses", Array(("name", _text), ("error_code", Int16)))),
)
DESCRIBE_CONFIGS = Api(
    "DescribeConfigs",
    32,
    1,
    Schema(
        (
            "resources",
            Array(("resource_type", Int8), ("resource_name", _text), ("configuration_keys", Array(_text))),
        ),
        ("include_synonyms", Boolean),
    ),
    Schema(
        ("throttle_time_ms", Int32),
        (
            "results",
            Array(
                ("error_code", Int16),
                ("error_message", _text),
                ("resource_type", Int8),
                ("resource_name", _text),
                (
                    "configs",
                    Array(
                        ("name", _text),
                        ("value", _text),
                        ("read_only", Boolean),
                        ("config_source", Int8),
                        ("is_sensitive", Boolean),
                        ("synonyms", Array(("name", _text), ("value", _text), ("source", Int8))),
                    ),
                ),
            ),
        ),
    ),
)
LIST_OFFSETS = Api(
    "ListOffsets",
    2,
    1,
    Schema(
        ("replica_id", Int32),
        (
            "topics",
            Array(("name", _text), ("partitions", Array(("partition_index", Int32), ("timestamp", Int64)))),
        ),
    ),
    Schema(
        (
            "topics",
            Array(
                ("name", _text),
                (
                    "partitions",
                    Array(("partition_index", Int32), ("error_code", Int16), ("timestamp", Int64), ("offset", Int64)),
                ),
            ),
        ),
    ),
)
DELETE_RECORDS = Api(
    "DeleteRecords",
    21,
    1,
    Schema(
        ("topics", Array(("name", _text), ("partitions", Array(("partition_index", Int32), ("offset", Int64))))),
        ("timeout_ms", Int32),
    ),
    Schema(
        ("throttle_time_ms", Int32),
        (
            "topics",
            Array(
                ("name", _text),
                (
                    "partitions",
                    Array(("partition_index", Int32), ("low_watermark", Int64), ("error_code", Int16)),
                ),
            ),
        ),
    ),
)
