"""What settings ask of one another. Pure."""

import ipaddress
from collections.abc import Container, Iterator
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from app.settings.model import KafkaSettings, SettingsTree
from app.settings.types import address
from app.settings.variables import BY_PATH

_INT64_MAX: Final = 2**63 - 1
_PROTOCOL: Final = "APP_KAFKA__SECURITY_PROTOCOL"
_MECHANISM: Final = "APP_KAFKA__SASL_MECHANISM"


class Fault(NamedTuple):
    path: str
    """The setting to look at first."""
    words: str


def faults(settings: SettingsTree, given: Container[str]) -> Iterator[Fault]:
    """`given` has the paths of the settings that are not at their default."""
    yield from _private_broker(settings.kafka)
    yield from _protocol(settings.kafka, given)
    yield from _credentials(settings.kafka, given)
    yield from _unencrypted(settings.kafka)
    yield from _topics(settings)
    yield from _groups(settings)
    yield from _streams(settings, given)
    yield from _numbers(settings)


def loopback(host: str) -> bool:
    name = host.lower().removesuffix(".")
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def _private_broker(kafka: KafkaSettings) -> Iterator[Fault]:
    if kafka.bootstrap_servers is None and kafka.security_protocol != "PLAINTEXT":
        yield Fault(
            "kafka.security_protocol",
            f"{kafka.security_protocol} needs APP_KAFKA__BOOTSTRAP_SERVERS; "
            "the private Kafka that is started without them speaks PLAINTEXT",
        )


def _protocol(kafka: KafkaSettings, given: Container[str]) -> Iterator[Fault]:
    """A TLS or SASL setting that the protocol ignores was meant to do something."""
    for path in BY_PATH:
        if path not in given:
            continue
        if path.startswith("kafka.ssl_") and "SSL" not in kafka.security_protocol:
            yield Fault(path, f"has no effect as {_PROTOCOL} is {kafka.security_protocol}; set that to SSL or SASL_SSL")
        elif path.startswith(("kafka.sasl_", "kafka.oauth_")) and "SASL" not in kafka.security_protocol:
            yield Fault(path, f"has no effect as {_PROTOCOL} is {kafka.security_protocol}; set that to SASL_SSL")


def _credentials(kafka: KafkaSettings, given: Container[str]) -> Iterator[Fault]:
    if "SASL" not in kafka.security_protocol:
        return
    if kafka.sasl_mechanism == "OAUTHBEARER":
        yield from _oauth(kafka)
        unused: tuple[str, ...] = ("kafka.sasl_username", "kafka.sasl_password")
    else:
        for path, value in (("sasl_username", kafka.sasl_username), ("sasl_password", kafka.sasl_password)):
            if value is None:
                yield Fault(
                    f"kafka.{path}", f"is missing; {kafka.security_protocol} with {kafka.sasl_mechanism} needs it"
                )
        unused = tuple(path for path in BY_PATH if path.startswith("kafka.oauth_"))
    for path in unused:
        if path in given:
            yield Fault(path, f"has no effect as {_MECHANISM} is {kafka.sasl_mechanism}")


def _oauth(kafka: KafkaSettings) -> Iterator[Fault]:
    if kafka.oauth_token is not None:
        if kafka.oauth_token_url is not None:
            yield Fault("kafka.oauth_token_url", "is set together with APP_KAFKA__OAUTH_TOKEN; keep one")
        return
    if kafka.oauth_token_url is None:
        yield Fault(
            "kafka.oauth_token",
            "is missing; OAUTHBEARER needs it, or APP_KAFKA__OAUTH_TOKEN_URL with …CLIENT_ID and …CLIENT_SECRET",
        )
        return
    if kafka.oauth_client_id is None:
        yield Fault("kafka.oauth_client_id", "is missing; APP_KAFKA__OAUTH_TOKEN_URL needs it")
    if kafka.oauth_client_secret is None:
        yield Fault("kafka.oauth_client_secret", "is missing; APP_KAFKA__OAUTH_TOKEN_URL needs it")


def _unencrypted(kafka: KafkaSettings) -> Iterator[Fault]:
    if kafka.security_protocol == "SASL_PLAINTEXT" and not kafka.allow_plain_password:
        hosts = [address(server)[0] for server in kafka.bootstrap_servers or ()]
        far = next((host for host in hosts if not loopback(host)), None)
        if far is not None:
            yield Fault(
                "kafka.security_protocol",
                f"SASL_PLAINTEXT would send credentials unencrypted to {far}; use SASL_SSL, "
                "or accept it with APP_KAFKA__ALLOW_PLAIN_PASSWORD=true",
            )
    url = urlsplit(kafka.oauth_token_url or "")
    if url.scheme == "http" and not loopback(url.hostname or ""):
        words = f"would send the client secret unencrypted to {url.hostname}; use https"
        yield Fault("kafka.oauth_token_url", words)


def _topics(settings: SettingsTree) -> Iterator[Fault]:
    topic, dead = settings.kafka.topic, settings.dead_letter_topic
    if len(dead) > 249:
        yield Fault("kafka.topic", "is too long for the name of its dead-letter topic; set APP_C__DEAD_LETTER_TOPIC")
    if topic == dead:
        yield Fault(
            "c.dead_letter_topic", f"is {topic}, the topic of the numbers itself; dead letters would be read again"
        )
    elif _alike(topic, dead):
        yield Fault("c.dead_letter_topic", f"collides with {topic}: for Kafka '.' and '_' are the same in topic names")
    failed = settings.streams_dead_letter_topic
    if failed == topic:
        yield Fault(
            "streams.dead_letter_topic",
            f"is {topic}, the topic of the numbers itself; dead letters would be read again",
        )
    for other in (topic, dead):
        if failed != other and _alike(failed, other):
            words = f"collides with {other}: for Kafka '.' and '_' are the same in topic names"
            yield Fault("streams.dead_letter_topic", words)


def _alike(topic: str, other: str) -> bool:
    return topic.replace(".", "_") == other.replace(".", "_")


def _streams(settings: SettingsTree, given: Container[str]) -> Iterator[Fault]:
    options = settings.streams
    if not options.exactly_once and "streams.transaction_timeout_ms" in given:
        yield Fault("streams.transaction_timeout_ms", f"has no effect as APP_STREAMS__GUARANTEE is {options.guarantee}")
    if options.exactly_once and options.commit_every_ms >= options.transaction_timeout_ms:
        yield Fault(
            "streams.commit_interval_ms",
            f"must be less than APP_STREAMS__TRANSACTION_TIMEOUT_MS, {options.transaction_timeout_ms}: "
            "Kafka would abort every transaction before it is committed",
        )
    if options.heartbeat_every_ms * 3 > options.session_timeout_ms:
        yield Fault(
            "streams.heartbeat_interval_ms",
            f"must be at most a third of APP_STREAMS__SESSION_TIMEOUT_MS, {options.session_timeout_ms}: "
            "a heartbeat or two may be late",
        )


def _groups(settings: SettingsTree) -> Iterator[Fault]:
    if settings.c.group_id == settings.streams.application_id:
        yield Fault(
            "c.group_id", "is APP_STREAMS__APPLICATION_ID too; consumer C and the topology need groups of their own"
        )


def _numbers(settings: SettingsTree) -> Iterator[Fault]:
    """Without an end there must be room: 2^62 numbers at 10,000 a second last 14 million years."""
    for name, producer in (("a", settings.a), ("b", settings.b)):
        count = 2**61 if producer.count is None else producer.count
        if count and producer.first + 2 * (count - 1) > _INT64_MAX:
            yield Fault(f"{name}.first", "is so large that the numbers would leave the 64-bit range")
