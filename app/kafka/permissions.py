"""What the configured roles need on the cluster, and the command that grants it."""

from dataclasses import dataclass

from app.kafka.requests import Operation
from app.settings.model import KafkaSettings, SettingsTree

_WORDS = {
    Operation.READ: "read",
    Operation.WRITE: "write to",
    Operation.CREATE: "create",
    Operation.DESCRIBE: "see",
}
_ACL_NAMES = {
    Operation.READ: "Read",
    Operation.WRITE: "Write",
    Operation.CREATE: "Create",
    Operation.DELETE: "Delete",
    Operation.DESCRIBE: "Describe",
    Operation.DESCRIBE_CONFIGS: "DescribeConfigs",
    Operation.IDEMPOTENT_WRITE: "IdempotentWrite",
}


@dataclass(frozen=True, slots=True)
class TopicNeed:
    name: str
    variable: str
    """What names the topic."""
    operations: tuple[Operation, ...]


def topic_needs(tree: SettingsTree) -> tuple[TopicNeed, ...]:
    """The topics that the roles use; none for roles that use none."""
    numbers: list[Operation] = []
    if "c" in tree.roles:
        numbers.append(Operation.READ)
    if "a" in tree.roles or "b" in tree.roles:
        numbers.append(Operation.WRITE)
    needs = [TopicNeed(tree.kafka.topic, "APP_KAFKA__TOPIC", tuple(numbers))] if numbers else []
    if "c" in tree.roles:
        needs.append(TopicNeed(tree.dead_letter_topic, "APP_C__DEAD_LETTER_TOPIC", (Operation.WRITE,)))
    return tuple(needs)


def group_need(tree: SettingsTree) -> str | None:
    """The consumer group that must be readable."""
    return tree.c.group_id if "c" in tree.roles else None


def word(operation: Operation) -> str:
    return _WORDS.get(operation, operation.name.lower().replace("_", " "))


def grant(settings: KafkaSettings, operations: tuple[Operation, ...], resource: str) -> str:
    """The command for an administrator. `resource` as in `--topic NAME`, `--group NAME` or `--cluster`."""
    flags = " ".join(f"--operation {_ACL_NAMES[operation]}" for operation in operations)
    return f"grant it: kafka-acls.sh --add --allow-principal '{principal(settings)}' {flags} {resource}"


def principal(settings: KafkaSettings) -> str:
    """Whom the broker takes us for, as far as that can be known here."""
    if settings.security_protocol.startswith("SASL"):
        token = settings.sasl_mechanism == "OAUTHBEARER"
        return "User:<subject of the token>" if token else f"User:{settings.sasl_username}"
    if settings.security_protocol == "SSL" and settings.ssl_certfile is not None:
        return "User:<subject of the certificate>"
    return "User:ANONYMOUS"
