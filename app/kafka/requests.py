"""The requests that we make ourselves, in versions that every broker from Kafka 1.1 to 4.x answers.

aiokafka's clients hide what a broker said behind one error for all causes; a diagnosis needs the answers as they came.
Field names are those of Kafka's message definitions, in Python spelling.
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from enum import IntEnum
from io import BytesIO
from typing import Any

import aiokafka.errors
from aiokafka.protocol.types import (
    AbstractType,
    Array,
    Boolean,
    Bytes,
    CompactArray,
    CompactString,
    Int16,
    Int32,
    Schema,
    String,
    TaggedFields,
)

Answer = dict[str, Any]

_text = String("utf-8")
_compact = CompactString("utf-8")


class Uuid(AbstractType[str]):  # type: ignore[misc]  # aiokafka is untyped
    """A topic's id, as Kafka's tools print it."""

    @classmethod
    def encode(cls, value: str) -> bytes:
        return urlsafe_b64decode(f"{value}==")

    @classmethod
    def decode(cls, data: BytesIO) -> str:
        return urlsafe_b64encode(data.read(16)).decode().rstrip("=")


NO_ID = "A" * 22
"""What stands for no topic's id."""


@dataclass(frozen=True, slots=True)
class Api:
    """One version of one request. A flexible one has tagged fields, at its end and at that of every row."""

    name: str
    key: int
    version: int
    request: Any
    response: Any
    flexible: bool = False

    def encode(self, correlation: int, client_id: str, values: tuple[object, ...]) -> bytes:
        header = (
            Int16.encode(self.key) + Int16.encode(self.version) + Int32.encode(correlation) + _text.encode(client_id)
        )
        tags = TaggedFields.encode({}) if self.flexible else b""
        body: bytes = header + tags + self.request.encode(values)
        return body

    def decode(self, body: bytes) -> Answer:
        """Raises ValueError where the bytes are not this answer."""
        rest = BytesIO(body)
        if self.flexible:
            TaggedFields.decode(rest)
        answer: Answer = _named(self.response, self.response.decode(rest))
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
    OFFSET_OUT_OF_RANGE = 1
    UNKNOWN_TOPIC_OR_PARTITION = 3
    LEADER_NOT_AVAILABLE = 5
    COORDINATOR_LOAD_IN_PROGRESS = 14
    COORDINATOR_NOT_AVAILABLE = 15
    NOT_COORDINATOR = 16
    INVALID_TOPIC_EXCEPTION = 17
    UNKNOWN_MEMBER_ID = 25
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
    TRANSACTIONAL_ID_AUTHORIZATION_FAILED = 53
    SASL_AUTHENTICATION_FAILED = 58
    NON_EMPTY_GROUP = 68
    GROUP_ID_NOT_FOUND = 69
    TOPIC_DELETION_DISABLED = 73
    UNSTABLE_OFFSET_COMMIT = 88


NOT_ALLOWED = frozenset(
    {
        Code.TOPIC_AUTHORIZATION_FAILED,
        Code.GROUP_AUTHORIZATION_FAILED,
        Code.CLUSTER_AUTHORIZATION_FAILED,
        Code.TRANSACTIONAL_ID_AUTHORIZATION_FAILED,
    }
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
# From Kafka 2.8 (KIP-516) on a topic has an id, which tells it from an earlier one of its name.
METADATA_WITH_IDS = Api(
    "Metadata",
    3,
    10,
    Schema(
        ("topics", CompactArray(("topic_id", Uuid), ("name", _compact), ("tags", TaggedFields))),
        ("allow_auto_topic_creation", Boolean),
        ("include_cluster_authorized_operations", Boolean),
        ("include_topic_authorized_operations", Boolean),
        ("tags", TaggedFields),
    ),
    Schema(
        ("throttle_time_ms", Int32),
        (
            "brokers",
            CompactArray(
                ("node_id", Int32), ("host", _compact), ("port", Int32), ("rack", _compact), ("tags", TaggedFields)
            ),
        ),
        ("cluster_id", _compact),
        ("controller_id", Int32),
        (
            "topics",
            CompactArray(
                ("error_code", Int16),
                ("name", _compact),
                ("topic_id", Uuid),
                ("is_internal", Boolean),
                (
                    "partitions",
                    CompactArray(
                        ("error_code", Int16),
                        ("partition_index", Int32),
                        ("leader_id", Int32),
                        ("leader_epoch", Int32),
                        ("replica_nodes", CompactArray(Int32)),
                        ("isr_nodes", CompactArray(Int32)),
                        ("offline_replicas", CompactArray(Int32)),
                        ("tags", TaggedFields),
                    ),
                ),
                ("topic_authorized_operations", Int32),
                ("tags", TaggedFields),
            ),
        ),
        ("cluster_authorized_operations", Int32),
        ("tags", TaggedFields),
    ),
    flexible=True,
)
