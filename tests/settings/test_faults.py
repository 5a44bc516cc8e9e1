"""Every wrong value → the line that a user reads. No line shows more than the name used and, quoted, the value."""

import pytest

from tests.settings.trying import faults, settings

PROTOCOLS = "PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL"
INT64 = "from -9223372036854775808 to 9223372036854775807"
HOSTLESS = "must be host:port, but its host is neither a name nor an address"
LIST = 'must be a list such as a,b or ["a", "b"]'
URL = "must be a URL such as https://login.example.com/token, without a user name or a fragment"
OWN_URL = "must be http://host:port, such as http://10.0.0.7:8080"

ONE_VALUE = [
    # fixed words
    ("KAFKA_SECURITY_PROTOCOL", "sasl_sl", f"must be one of {PROTOCOLS} (got 'sasl_sl'); did you mean SASL_SSL?"),
    ("APP_KAFKA__SECURITY_PROTOCOL", "TLS", f"must be one of {PROTOCOLS} (got 'TLS')"),
    (
        "APP_KAFKA__SASL_MECHANISM",
        "SCRAM-SHA-521",
        (
            "must be one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, OAUTHBEARER (got 'SCRAM-SHA-521'); "
            "did you mean SCRAM-SHA-512?"
        ),
    ),
    ("APP_LOG__LEVEL", "WARN", "must be one of DEBUG, INFO, WARNING, ERROR (got 'WARN'); did you mean WARNING?"),
    ("APP_LOG__FORMAT", "xml", "must be one of auto, pretty, json (got 'xml')"),
    # lists
    ("APP_ROLES", "a,d", "must be from a, b, c, streams (got 'd')"),
    ("APP_ROLES", "a,stream", "must be from a, b, c, streams (got 'stream'); did you mean streams?"),
    ("APP_ROLES", '["a", 1]', "must be from a, b, c, streams (got '1')"),
    ("APP_ROLES", "a,b,A", "names a twice (got 'a,b,A')"),
    ("APP_ROLES", "", "is set but empty; unset it for the default"),
    ("APP_ROLES", "[]", "is empty (got '[]')"),
    ("APP_ROLES", "a,,b", "has an empty entry (got 'a,,b')"),
    ("APP_ROLES", "[a, b]", f"{LIST} (got '[a, b]')"),
    ("APP_ROLES", '["a"', f"{LIST} (got '[\"a\"')"),
    ("APP_ROLES", "[" * 100_000, f"{LIST} (got '{'[' * 77}…')"),
    # bootstrap servers
    (
        "KAFKA_BOOTSTRAP_SERVERS",
        "",
        "is set but empty; give host:port, or unset it for a private Kafka on this machine",
    ),
    (
        "APP_KAFKA__BOOTSTRAP_SERVERS",
        "  ",
        "is set but empty; give host:port, or unset it for a private Kafka on this machine",
    ),
    ("KAFKA_BOOTSTRAP_SERVERS", "[]", "is empty (got '[]')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "one:1,", "has an empty entry (got 'one:1,')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "one:1,two:2,one:1", "names one:1 twice (got 'one:1,two:2,one:1')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "http://one:9092", "must be host:port, without a scheme (got 'http://one:9092')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "ann:pw@one:9092", "must be host:port, without a user name (got '***@one:9092')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "one", "must be host:port, but has no port; Kafka's usual one is 9092 (got 'one')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "[::1]", "must be host:port, but has no port; Kafka's usual one is 9092 (got '[::1]')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "one:", "must be host:port, but has no port; Kafka's usual one is 9092 (got 'one:')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "one:0", "must be host:port with a port from 1 to 65535 (got 'one:0')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "one:65536", "must be host:port with a port from 1 to 65535 (got 'one:65536')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "one:९", "must be host:port with a port from 1 to 65535 (got 'one:९')"),
    (
        "KAFKA_BOOTSTRAP_SERVERS",
        "::1:9092",
        "must be host:port; an IPv6 address stands in brackets, as in [::1]:9092 (got '::1:9092')",
    ),
    ("KAFKA_BOOTSTRAP_SERVERS", "[::g]:9092", f"{HOSTLESS} (got '[::g]:9092')"),
    ("KAFKA_BOOTSTRAP_SERVERS", ":9092", f"{HOSTLESS} (got ':9092')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "one two:9092", f"{HOSTLESS} (got 'one two:9092')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "300.1.1.1:9092", f"{HOSTLESS} (got '300.1.1.1:9092')"),
    ("KAFKA_BOOTSTRAP_SERVERS", "${HOST}:9092", f"{HOSTLESS} (got '${{HOST}}:9092')"),
    # numbers
    ("APP_KAFKA__PARTITIONS", "six", "must be a whole number (got 'six')"),
    ("APP_KAFKA__PARTITIONS", "", "is set but empty; unset it for the default"),
    ("APP_KAFKA__PARTITIONS", "0", "must be from 1 to 10000 (got '0')"),
    ("APP_KAFKA__PARTITIONS", "1.5", "must be a whole number (got '1.5')"),
    (
        "APP_A__FIRST",
        "1" * 5000,
        f"must be a whole number, and a shorter one (got '{'1' * 77}…')",
    ),
    ("APP_A__FIRST", str(2**63), f"must be {INT64} (got '9223372036854775808')"),
    ("APP_A__COUNT", "-1", "must be 0 or more (got '-1')"),
    ("APP_KAFKA__REPLICATION_FACTOR", "0", "must be from 1 to 100, or -1 for the broker's default (got '0')"),
    ("APP_A__INTERVAL", "nan", "must be a finite number (got 'nan')"),
    ("APP_A__INTERVAL", "inf", "must be a finite number (got 'inf')"),
    ("APP_A__INTERVAL", "1e999", "must be a finite number (got '1e999')"),
    ("APP_A__INTERVAL", "0", "must be from 0.000001 to 86400 (got '0')"),
    ("APP_B__INTERVAL", "2s", "must be a number (got '2s')"),
    ("APP_C__SESSION_TIMEOUT_MS", "5999", "must be from 6000 to 1800000 (got '5999')"),
    ("APP_HTTP__PORT", "65536", "must be from 0 to 65535 (got '65536')"),
    ("APP_HTTP__PORT", "tcp://10.0.0.1:80", "must be a whole number (got 'tcp://10.0.0.1:80')"),
    ("APP_STREAMS__COMMIT_INTERVAL_MS", "0", "must be from 1 to 600000 (got '0')"),
    ("APP_STREAMS__TRANSACTION_TIMEOUT_MS", "900001", "must be from 1000 to 900000 (got '900001')"),
    ("APP_STREAMS__SESSION_TIMEOUT_MS", "5999", "must be from 6000 to 1800000 (got '5999')"),
    ("APP_STREAMS__STANDBYS", "11", "must be from 0 to 10 (got '11')"),
    ("APP_STREAMS__MAX_TASK_IDLE_MS", "-2", "must be from -1 to 2147483647 (got '-2')"),
    (
        "APP_STREAMS__GUARANTEE",
        "exactly_once",
        "must be one of exactly_once_v2, at_least_once (got 'exactly_once'); did you mean exactly_once_v2?",
    ),
    ("APP_STREAMS__STORE", "rocksdb", "must be one of disk, memory (got 'rocksdb')"),
    ("APP_STREAMS__ERRORS", "skip", "must be one of dead_letter, fail (got 'skip')"),
    ("APP_STREAMS__INSTANCE_ID", "a b", "must have letters, digits, '.', '_' and '-' only (got 'a b')"),
    ("APP_STREAMS__DEAD_LETTER_TOPIC", "a/b", "must have letters, digits, '.', '_' and '-' only (got 'a/b')"),
    # where the others reach us
    ("APP_HTTP__ADVERTISED", "one:8080", f"{OWN_URL} (got 'one:8080')"),
    ("APP_HTTP__ADVERTISED", "https://one:8080", f"{OWN_URL} (got 'https://one:8080')"),
    ("APP_HTTP__ADVERTISED", "http://one", f"{OWN_URL} (got 'http://one')"),
    ("APP_HTTP__ADVERTISED", "http://one:8080/stores", f"{OWN_URL} (got 'http://one:8080/stores')"),
    (
        "APP_HTTP__ADVERTISED",
        "http://0.0.0.0:80",
        "must name this machine; the address that stands for all of them leads nowhere (got 'http://0.0.0.0:80')",
    ),
    # text
    ("APP_KAFKA__ALLOW_PLAIN_PASSWORD", "maybe", "must be true or false (got 'maybe')"),
    ("KAFKA_TOPIC", "my topic", "must have letters, digits, '.', '_' and '-' only (got 'my topic')"),
    ("KAFKA_TOPIC", "..", "must have letters, digits, '.', '_' and '-' only (got '..')"),
    ("KAFKA_TOPIC", "t" * 250, f"must have at most 249 characters (got '{'t' * 77}…')"),
    (
        "APP_STREAMS__APPLICATION_ID",
        "t" * 121,
        (f"must have at most 120 characters, as the names of internal topics begin with it (got '{'t' * 77}…')"),
    ),
    ("KAFKA_GROUP_ID", "a\nb", "must be one line of printable characters (got 'a\\nb')"),
    ("KAFKA_CLIENT_ID", "\x1b[31mred", "must be one line of printable characters (got '\\x1b[31mred')"),
    ("KAFKA_CLIENT_ID", "\u202ecod", "must be one line of printable characters (got '\\u202ecod')"),
    ("KAFKA_CLIENT_ID", "\udcff", "must be one line of printable characters (got '\\udcff')"),
    ("APP_TOPOLOGY", "app.pipeline", "must be module:function, such as app.pipeline:topology (got 'app.pipeline')"),
    (
        "APP_HTTP__HOST",
        "localhost:80",
        "must be a host name or an address, without a port or a scheme (got 'localhost:80')",
    ),
    ("APP_HTTP__HOST", "-x-", "must be a host name or an address (got '-x-')"),
    ("APP_HTTP__ALLOWED_HOSTS", "one,1.2.3", "must be a host name or an address (got '1.2.3')"),
    ("APP_BROKER__JAVA", "\x07", "must be a path of printable characters (got '\\x07')"),
    (
        "APP_BROKER__JAVA",
        "~no-such-user/java",
        "begins with the home directory of an unknown user (got '~no-such-user/java')",
    ),
    ("APP_KAFKA__OAUTH_TOKEN_URL", "login.test/token", f"{URL} (got 'login.test/token')"),
    ("APP_KAFKA__OAUTH_TOKEN_URL", "https://me:pw@login.test/", f"{URL} (got 'https://***@login.test/')"),
    ("APP_KAFKA__OAUTH_TOKEN_URL", "https://login.test:port/", f"{URL} (got 'https://login.test:port/')"),
    # secrets: never shown, whatever is wrong
    ("KAFKA_SASL_PASSWORD", "", "is set but empty; unset it for the default"),
    ("KAFKA_SASL_PASSWORD", "canary\udcff", "must be UTF-8 text"),
    ("KAFKA_SASL_PASSWORD", "canary\nsecond line", "must be one line without control characters"),
    ("KAFKA_SSL_KEYPASSWORD", "canary\0", "must be one line without control characters"),
    ("APP_HTTP__TOKEN", "canary", "must have 16 to 1024 characters"),
    ("APP_HTTP__TOKEN", "canary with blanks in it", "must have visible ASCII characters only"),
]


@pytest.mark.parametrize(("variable", "value", "line"), ONE_VALUE)
def test_a_wrong_value_is_one_line(variable: str, value: str, line: str) -> None:
    assert faults({variable: value}) == [f"{variable}: {line}"]


NAMES = [
    ("APP_KAFAK__TOPIC", "is not a setting; did you mean APP_KAFKA__TOPIC?"),
    ("APP_KAFKA_BOOTSTRAP_SERVERS", "is not a setting; did you mean APP_KAFKA__BOOTSTRAP_SERVERS?"),
    ("APP_BOOTSTRAP_SERVERS", "is not a setting; did you mean APP_KAFKA__BOOTSTRAP_SERVERS?"),
    ("APP_KAFKA__SASL_PASWORD_FILE", "is not a setting; did you mean APP_KAFKA__SASL_PASSWORD_FILE?"),
    ("APP_ROLE", "is not a setting; did you mean APP_ROLES?"),
    ("app_role", "is not a setting; did you mean APP_ROLES?"),
    ("APP_SECRET_DIR", "is not a setting; did you mean APP_SECRETS_DIR?"),
    ("APP_KAFKA", "is not a setting; set its members, such as APP_KAFKA__BOOTSTRAP_SERVERS"),
    ("APP_", "is not a setting; python -m app --help lists them"),
    ("APP_XYZZY", "is not a setting; python -m app --help lists them"),
    ("APP_SERVICES_HOST", "is not a setting; python -m app --help lists them"),
    ("APP_PORTS", "is not a setting; python -m app --help lists them"),
    ("KAFKA_BOOTSTRAP_SERVER", "is not a setting; did you mean KAFKA_BOOTSTRAP_SERVERS?"),
    ("KAFKA_BROKERS", "is not a setting; did you mean KAFKA_BOOTSTRAP_SERVERS?"),
]


@pytest.mark.parametrize(("variable", "line"), NAMES)
def test_an_unknown_name_is_one_line_with_the_name_that_was_meant(variable: str, line: str) -> None:
    assert faults({variable: "canary"}) == [f"{variable}: {line}"]


@pytest.mark.parametrize(
    "name",
    [
        # of a Service named app, and of one named kafka; and what configures the broker's image
        "APP_SERVICE_HOST",
        "APP_SERVICE_PORT",
        "APP_SERVICE_PORT_HTTP",
        "APP_PORT",
        "APP_PORT_8080_TCP",
        "APP_PORT_8080_TCP_ADDR",
        "KAFKA_PORT",
        "KAFKA_SERVICE_HOST",
        "KAFKA_PORT_9092_TCP",
        "KAFKA_NODE_ID",
        "KAFKA_LISTENERS",
        "KAFKA_HEAP_OPTS",
        "KAFKA_IMAGE",
        "APPDATA",
        "PATH",
        "PORT",
        "APPLE",
    ],
)
def test_names_of_others_are_left_alone(name: str) -> None:
    assert settings({name: "tcp://10.0.0.1:8080"}).kafka.topic == "numtest1"


def test_every_fault_is_told_at_once_in_a_line_of_its_own() -> None:
    assert faults({"APP_KAFAK__TOPIC": "x", "APP_ROLES": "d,e", "KAFKA_TOPIC": "", "APP_A__INTERVAL": "nan"}) == [
        "APP_KAFAK__TOPIC: is not a setting; did you mean APP_KAFKA__TOPIC?",
        "KAFKA_TOPIC: is set but empty; unset it for the default",
        "APP_ROLES: must be from a, b, c, streams (got 'd')",
        "APP_ROLES: must be from a, b, c, streams (got 'e')",
        "APP_A__INTERVAL: must be a finite number (got 'nan')",
    ]


def test_a_fault_names_the_flag_that_was_used() -> None:
    assert faults({"APP_HTTP__PORT": "80"}, ["--http-port=http"]) == [
        "--http-port: must be a whole number (got 'http')"
    ]


def test_a_weaker_source_is_not_judged() -> None:
    assert settings({"APP_HTTP__PORT": "http"}, ["--http-port=80"]).http.port == 80


def test_what_is_set_to_nothing_does_not_let_a_weaker_source_through() -> None:
    line = "--roles: is set but empty; unset it for the default"
    assert faults({"APP_ROLES": "a,x"}, ["--roles="]) == [line]
    assert faults({"APP_ROLES": "a"}, ["--roles="]) == [line]


def test_a_name_cannot_break_the_line() -> None:
    assert faults({"APP_\x1b[31m\nred": "x"}) == [
        "'APP_\\x1b[31m\\nred': is not a setting; python -m app --help lists them"
    ]
