"""The requests that we make ourselves, in versions that every broker from Kafka 1.1 to 4.x answers.

aiokafka's clients hide what a broker said behind one error for all causes; a diagnosis needs the answers as they came.
Field names are those of Kafka's message definitions, in Python spelling.
"""

from dataclasses import dataclass
from enum import IntEnum
from io import BytesIO
from typing import Any

import aiokafka.errors
from aiokafka.protocol.types import Array, Boolean, Bytes, Int8, Int16, Int32, Int64, Schema, String

Answer = dict[str, Any]

_text = String("utf-8")


@dataclass(frozen=True, slots=True)
class Api:
    """One version of one request. Not a flexible one: no tagged fields, header v1."""

    name: str
    key: int
    version: int
    request: Any
    response: Any

    def encode(self, correlation: int, client_id: str, values: tuple[object, ...]) -> bytes:
        header = (
            Int16.encode(self.key) + Int16.encode(self.version) + Int32.encode(correlation) + _text.encode(client_id)
        )
        body: bytes = header + self.request.encode(values)
        return body

    def decode(self, body: bytes) -> Answer:
        """Raises ValueError where the bytes are not this answer."""
        answer: Answer = _named(self.response, self.response.decode(BytesIO(body)))
        return answer


def _named(schema: Any, value: Any) -> Any:
    if isinstance(schema, Schema):
        return {name: _named(kind, part) for name, kind, part in zip(schema.names, schema.fields, value, strict=True)}
    if isinstance(schema, Array):
        return [_named(schema.array_of, item) for item in value or ()]
    return value


class Code(IntEnum):
    """The result codes that we act on."""

    NONE = 0
    UNKNOWN_TOPIC_OR_PARTITION = 3
    LEADER_NOT_AVAILABLE = 5
    COORDINATOR_LOAD_IN_PROGRESS = 14
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    INVALID_TOPIC_EXCEPTION = 17
    TOPIC_AUTHORIZATION_FAILED = 29
    GROUP_AUTHORIZATION_FAILED = 30
    CLUSTER_AUTHORIZATION_FAILED = 31
    UNSUPPORTED_SASL_MECHANISM = 33
    ILLEGAL_SASL_STATE = 34
    UNSUPPORTED_VERSION = 35
    TOPIC_ALREADY_EXISTS = 36
    INVALID_PARTITIONS = 37
    INVALID_REPLICATION_FACTOR = 38
    INVALID_CONFIG = 40
    NOT_CONTROLLER = 41
    POLICY_VIOLATION = 44
    SASL_AUTHENTICATION_FAILED = 58
    NON_EMPTY_GROUP = 68
    GROUP_ID_NOT_FOUND = 69
    TOPIC_DELETION_DISABLED = 73


NOT_ALLOWED = frozenset(
    {Code.TOPIC_AUTHORIZATION_FAILED, Code.GROUP_AUTHORIZATION_FAILED, Code.CLUSTER_AUTHORIZATION_FAILED}
)
TRANSIENT = frozenset(
    {
        Code.LEADER_NOT_AVAILABLE,
        6,  # NOT_LEADER_OR_FOLLOWER
        7,  # REQUEST_TIMED_OUT
        8,  # BROKER_NOT_AVAILABLE
        Code.COORDINATOR_LOAD_IN_PROGRESS,
        Code.COORDINATOR_NOT_AVAILABLE,
        Code.NOT_COORDINATOR,
        19,  # NOT_ENOUGH_REPLICAS
        Code.NOT_CONTROLLER,
        51,  # CONCURRENT_TRANSACTIONS
        89,  # THROTTLING_QUOTA_EXCEEDED
    }
)


def code_name(code: int) -> str:
    """Kafka's own name of a result code, as its documentation lists it."""
    if code in Code._value2member_map_:
        return Code(code).name
    known = aiokafka.errors.for_code(code)
    return str(known.message) if getattr(known, "errno", None) == code else f"result code {code}"


class Operation(IntEnum):
    """org.apache.kafka.common.acl.AclOperation"""

    READ = 3
    WRITE = 4
    CREATE = 5
    DELETE = 6
    ALTER = 7
    DESCRIBE = 8
    DESCRIBE_CONFIGS = 10
    IDEMPOTENT_WRITE = 12


API_VERSIONS = Api(
    "ApiVersions",
    18,
    0,
    Schema(),
    Schema(
        ("error_code", Int16),
        ("api_keys", Array(("api_key", Int16), ("min_version", Int16), ("max_version", Int16))),
    ),
)
SASL_HANDSHAKE = Api(
    "SaslHandshake",
    17,
    1,
    Schema(("mechanism", _text)),
    Schema(("error_code", Int16), ("mechanisms", Array(_text))),
)
SASL_AUTHENTICATE = Api(
    "SaslAuthenticate",
    36,
    0,
    Schema(("auth_bytes", Bytes)),
    Schema(("error_code", Int16), ("error_message", _text), ("auth_bytes", Bytes)),
)

_brokers = Array(("node_id", Int32), ("host", _text), ("port", Int32), ("rack", _text))

METADATA = Api(
    "Metadata",
    3,
    4,
    Schema(("topics", Array(_text)), ("allow_auto_topic_creation", Boolean)),
    Schema(
        ("throttle_time_ms", Int32),
        ("brokers", _brokers),
        ("cluster_id", _text),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("name", _text),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition_index", Int32),
                        ("leader_id", Int32),
                        ("replica_nodes", Array(Int32)),
                        ("isr_nodes", Array(Int32)),
                    ),
                ),
            ),
        ),
    ),
)
# From Kafka 2.3 (KIP-430) on a broker tells what the asker may do.
METADATA_WITH_OPERATIONS = Api(
    "Metadata",
    3,
    8,
    Schema(
        ("topics", Array(_text)),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
    ),
    Schema(
        ("throttle_time_ms", Int32),
        ("brokers", _brokers),
        ("cluster_id", _text),
        ("controller_id", Int32),
        (
            "topics",
            Array(
                ("error_code", Int16),
                ("name", _text),
                ("is_internal", Boolean),
                (
                    "partitions",
                    Array(
                        ("error_code", Int16),
                        ("partition_index", Int32),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("replica_nodes", Array(Int32)),
                        ("isr_nodes", Array(Int32)),
                        ("offline_replicas", Array(Int32)),
                    ),
                ),
                ("topic_authorized_operations", Int32),
            ),
        ),
        ("cluster_authorized_operations", Int32),
    ),
)
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
