"""server.properties, the log's configuration and the command lines, as values."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from app.broker.ports import HOST

CLIENT = "PLAINTEXT"
CONTROLLER = "CONTROLLER"

# Only what a single node needs, and what makes it quick to join: Kafka's defaults are for clusters.
SINGLE_NODE = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": CONTROLLER,
    "inter.broker.listener.name": CLIENT,
    # Relative to the JVM's working directory: a comma in the path would make two directories of it.
    "log.dirs": "data",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    "group.initial.rebalance.delay.ms": "0",
    "auto.create.topics.enable": "false",
    # After kill -9 a broker is let in again when its last registration has expired: 9 s by default.
    "broker.session.timeout.ms": "3000",
    "broker.heartbeat.interval.ms": "500",
}

LOGGING = """\
status = error
appender.console.type = Console
appender.console.name = console
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %p %m (%c)%n
rootLogger.level = info
rootLogger.appenderRef.console.ref = console
# 2,000 lines of effective settings at every start
logger.config.name = org.apache.kafka.common.config
logger.config.level = warn
logger.settings.name = kafka.server.KafkaConfig
logger.settings.level = warn
"""


@dataclass(frozen=True)
class Extra:
    """What tests and benchmarks change about a broker: `listeners` maps further names to security protocols,
    `format` holds further arguments of `StorageTool format`; without `restart` a broker that dies stays dead."""

    properties: Mapping[str, str] = field(default_factory=dict)
    listeners: Mapping[str, str] = field(default_factory=dict)
    jvm: tuple[str, ...] = ()
    format: tuple[str, ...] = ()
    restart: bool = True


def server_properties(ports: Mapping[str, int], extra: Extra) -> dict[str, str]:
    protocols = {CONTROLLER: "PLAINTEXT", CLIENT: "PLAINTEXT", **extra.listeners}
    addresses = {name: f"{name}://{HOST}:{port}" for name, port in ports.items()}
    return {
        **SINGLE_NODE,
        "controller.quorum.bootstrap.servers": f"{HOST}:{ports[CONTROLLER]}",
        "listeners": ",".join(addresses.values()),
        "advertised.listeners": ",".join(address for name, address in addresses.items() if name != CONTROLLER),
        "listener.security.protocol.map": ",".join(f"{name}:{protocol}" for name, protocol in protocols.items()),
        **extra.properties,
    }


def client_address(properties: Mapping[str, str]) -> str:
    """host:port of the first listener that is not the controller's: its open port means that the broker is ready."""
    controllers = properties["controller.listener.names"].split(",")
    for listener in properties["listeners"].split(","):
        name, _, address = listener.partition("://")
        if name not in controllers:
            host, _, port = address.rpartition(":")
            return f"{host or HOST}:{port}"
    raise ValueError("every listener is a controller's")


def render(properties: Mapping[str, str]) -> str:
    """As java.util.Properties reads it: Latin-1, backslashes doubled, leading blanks kept."""
    return "".join(f"{name}={_escaped(value)}\n" for name, value in properties.items())


def _escaped(text: str) -> str:
    escapes = {"\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
    escaped = "".join(escapes.get(character, character) for character in text)
    if escaped.startswith(" "):
        escaped = "\\" + escaped
    units = escaped.encode("utf-16-be")
    pairs = (int.from_bytes(units[at : at + 2]) for at in range(0, len(units), 2))
    return "".join(chr(unit) if unit < 128 else f"\\u{unit:04x}" for unit in pairs)


def jvm_command(java: Path, jars: tuple[Path, ...], heap_mb: int, home: Path, extra: tuple[str, ...] = ()) -> list[str]:
    """The start of every command line; the main class follows. The JVM is to run in `home`."""
    return [
        str(java),
        f"-Xmx{heap_mb}m",
        "-XX:+UseSerialGC",
        "-XX:TieredStopAtLevel=1",  # ready a second earlier; a benchmark wants it off
        "-XX:+ExitOnOutOfMemoryError",  # a broker without memory answers nobody; a new one does
        # Nothing of it outside its home, whatever kills it: no hsperfdata, no unpacked libraries elsewhere.
        "-XX:-UsePerfData",
        "-XX:ErrorFile=jvm-crash.log",
        "-Djava.io.tmpdir=tmp",
        "-Djava.awt.headless=true",
        "-Dlog4j2.configurationFile=log4j2.properties",
        f"-D{home_mark(home)}",
        *extra,
        "-cp",
        ":".join(map(str, jars)),
    ]


def broker_environment(environ: Mapping[str, str]) -> dict[str, str]:
    """Ours without our settings, for passwords of another Kafka are none of the broker's business; with C.UTF-8, in
    which Java reads paths that are not ASCII."""
    kept = {name: value for name, value in environ.items() if not name.startswith(("APP_", "KAFKA_"))}
    return {**kept, "LC_ALL": "C.UTF-8"}


def home_mark(home: Path) -> str:
    """What the command line of a broker of `home` holds: by this a broker is found whose guardian was killed."""
    return f"kafka-demo.home={home}"


def format_arguments(cluster_id: str, properties: Mapping[str, str], extra: tuple[str, ...] = ()) -> list[str]:
    # With the older static quorum the voters stand in the properties, and the tool refuses to name them.
    voters = [] if "controller.quorum.voters" in properties else ["--standalone"]
    return ["kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", "server.properties", *voters, *extra]


def server_arguments() -> list[str]:
    return ["kafka.Kafka", "server.properties"]
