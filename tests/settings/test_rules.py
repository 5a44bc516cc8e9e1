"""What settings ask of one another."""

from pathlib import Path

import pytest

from tests.settings.trying import faults, settings

FAR = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9092"}
NEAR = {"KAFKA_BOOTSTRAP_SERVERS": "localhost:9092,127.0.0.2:1,[::1]:1"}
LOGIN = {"KAFKA_SASL_USERNAME": "ann", "KAFKA_SASL_PASSWORD": "correct horse"}
CLEAR = LOGIN | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"}
SASL = FAR | {"KAFKA_SECURITY_PROTOCOL": "SASL_SSL"}
OAUTH = SASL | {"KAFKA_SASL_MECHANISM": "OAUTHBEARER"}
CLIENT = {"APP_KAFKA__OAUTH_CLIENT_ID": "me", "APP_KAFKA__OAUTH_CLIENT_SECRET": "correct horse"}
ENDPOINT = CLIENT | {"APP_KAFKA__OAUTH_TOKEN_URL": "https://login.test/token"}
PLAINTEXT = "has no effect as APP_KAFKA__SECURITY_PROTOCOL is PLAINTEXT; set that to"

REFUSED = [
    # a private Kafka where another was meant
    (
        {"KAFKA_SECURITY_PROTOCOL": "SSL"},
        [
            (
                "KAFKA_SECURITY_PROTOCOL: SSL needs APP_KAFKA__BOOTSTRAP_SERVERS; "
                "the private Kafka that is started without them speaks PLAINTEXT"
            )
        ],
    ),
    # settings that the protocol ignores
    (FAR | {"KAFKA_SSL_CAFILE": "/ca.pem"}, [f"KAFKA_SSL_CAFILE: {PLAINTEXT} SSL or SASL_SSL"]),
    (FAR | {"APP_KAFKA__SSL_KEYPASSWORD": "canary"}, [f"APP_KAFKA__SSL_KEYPASSWORD: {PLAINTEXT} SSL or SASL_SSL"]),
    (FAR | {"KAFKA_SASL_MECHANISM": "PLAIN"}, [f"KAFKA_SASL_MECHANISM: {PLAINTEXT} SASL_SSL"]),
    (
        FAR | LOGIN,
        [f"KAFKA_SASL_USERNAME: {PLAINTEXT} SASL_SSL", f"KAFKA_SASL_PASSWORD: {PLAINTEXT} SASL_SSL"],
    ),
    (FAR | {"APP_KAFKA__OAUTH_TOKEN": "canary"}, [f"APP_KAFKA__OAUTH_TOKEN: {PLAINTEXT} SASL_SSL"]),
    (
        NEAR | LOGIN | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "KAFKA_SSL_CAFILE": "/ca.pem"},
        [
            (
                "KAFKA_SSL_CAFILE: has no effect as APP_KAFKA__SECURITY_PROTOCOL is SASL_PLAINTEXT; "
                "set that to SSL or SASL_SSL"
            )
        ],
    ),
    # credentials
    (
        SASL,
        [
            "APP_KAFKA__SASL_USERNAME: is missing; SASL_SSL with PLAIN needs it",
            "APP_KAFKA__SASL_PASSWORD: is missing; SASL_SSL with PLAIN needs it",
        ],
    ),
    (
        SASL | {"KAFKA_SASL_MECHANISM": "SCRAM-SHA-256", "KAFKA_SASL_USERNAME": "ann"},
        ["APP_KAFKA__SASL_PASSWORD: is missing; SASL_SSL with SCRAM-SHA-256 needs it"],
    ),
    (
        OAUTH,
        [
            (
                "APP_KAFKA__OAUTH_TOKEN: is missing; OAUTHBEARER needs it, or APP_KAFKA__OAUTH_TOKEN_URL "
                "with …CLIENT_ID and …CLIENT_SECRET"
            )
        ],
    ),
    (
        OAUTH | {"APP_KAFKA__OAUTH_TOKEN_URL": "https://login.test/token"},
        [
            "APP_KAFKA__OAUTH_CLIENT_ID: is missing; APP_KAFKA__OAUTH_TOKEN_URL needs it",
            "APP_KAFKA__OAUTH_CLIENT_SECRET: is missing; APP_KAFKA__OAUTH_TOKEN_URL needs it",
        ],
    ),
    (
        OAUTH | ENDPOINT | {"APP_KAFKA__OAUTH_TOKEN": "canary"},
        ["APP_KAFKA__OAUTH_TOKEN_URL: is set together with APP_KAFKA__OAUTH_TOKEN; keep one"],
    ),
    (
        OAUTH | ENDPOINT | {"KAFKA_SASL_PASSWORD": "canary"},
        ["KAFKA_SASL_PASSWORD: has no effect as APP_KAFKA__SASL_MECHANISM is OAUTHBEARER"],
    ),
    (
        SASL | LOGIN | {"APP_KAFKA__OAUTH_SCOPE": "read"},
        ["APP_KAFKA__OAUTH_SCOPE: has no effect as APP_KAFKA__SASL_MECHANISM is PLAIN"],
    ),
    # credentials in clear
    (
        FAR | LOGIN | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT"},
        [
            (
                "KAFKA_SECURITY_PROTOCOL: SASL_PLAINTEXT would send credentials unencrypted to kafka; use SASL_SSL, "
                "or accept it with APP_KAFKA__ALLOW_PLAIN_PASSWORD=true"
            )
        ],
    ),
    (
        CLEAR | {"KAFKA_BOOTSTRAP_SERVERS": "[::1]:1,localhost.x:1"},
        [
            (
                "KAFKA_SECURITY_PROTOCOL: SASL_PLAINTEXT would send credentials unencrypted to localhost.x; "
                "use SASL_SSL, or accept it with APP_KAFKA__ALLOW_PLAIN_PASSWORD=true"
            )
        ],
    ),
    (
        OAUTH | CLIENT | {"APP_KAFKA__OAUTH_TOKEN_URL": "http://login.test/token"},
        ["APP_KAFKA__OAUTH_TOKEN_URL: would send the client secret unencrypted to login.test; use https"],
    ),
    # names that get into each other's way
    (
        {"KAFKA_TOPIC": "t", "APP_C__DEAD_LETTER_TOPIC": "t"},
        ["APP_C__DEAD_LETTER_TOPIC: is t, the topic of the numbers itself; dead letters would be read again"],
    ),
    (
        {"KAFKA_TOPIC": "t.dlq", "APP_C__DEAD_LETTER_TOPIC": "t_dlq"},
        ["APP_C__DEAD_LETTER_TOPIC: collides with t.dlq: for Kafka '.' and '_' are the same in topic names"],
    ),
    (
        {"KAFKA_TOPIC": "t" * 246},
        ["KAFKA_TOPIC: is too long for the name of its dead-letter topic; set APP_C__DEAD_LETTER_TOPIC"],
    ),
    (
        {"KAFKA_GROUP_ID": "kafka-demo-streams"},
        ["KAFKA_GROUP_ID: is APP_STREAMS__APPLICATION_ID too; consumer C and the topology need groups of their own"],
    ),
    (
        {"APP_STREAMS__APPLICATION_ID": "numbers"},
        ["APP_C__GROUP_ID: is APP_STREAMS__APPLICATION_ID too; consumer C and the topology need groups of their own"],
    ),
    (
        {"KAFKA_TOPIC": "t", "APP_STREAMS__DEAD_LETTER_TOPIC": "t"},
        ["APP_STREAMS__DEAD_LETTER_TOPIC: is t, the topic of the numbers itself; dead letters would be read again"],
    ),
    (
        {"APP_STREAMS__DEAD_LETTER_TOPIC": "numtest1_dlq"},
        [
            (
                "APP_STREAMS__DEAD_LETTER_TOPIC: collides with numtest1.dlq: "
                "for Kafka '.' and '_' are the same in topic names"
            )
        ],
    ),
    # times of the stream topology
    (
        {"APP_STREAMS__COMMIT_INTERVAL_MS": "10000"},
        [
            (
                "APP_STREAMS__COMMIT_INTERVAL_MS: must be less than APP_STREAMS__TRANSACTION_TIMEOUT_MS, 10000: "
                "Kafka would abort every transaction before it is committed"
            )
        ],
    ),
    (
        {"APP_STREAMS__GUARANTEE": "at_least_once", "APP_STREAMS__TRANSACTION_TIMEOUT_MS": "20000"},
        ["APP_STREAMS__TRANSACTION_TIMEOUT_MS: has no effect as APP_STREAMS__GUARANTEE is at_least_once"],
    ),
    (
        {"APP_STREAMS__HEARTBEAT_INTERVAL_MS": "2001", "APP_STREAMS__SESSION_TIMEOUT_MS": "6000"},
        [
            (
                "APP_STREAMS__HEARTBEAT_INTERVAL_MS: must be at most a third of APP_STREAMS__SESSION_TIMEOUT_MS, 6000: "
                "a heartbeat or two may be late"
            )
        ],
    ),
    # numbers that end too soon
    (
        {"APP_A__FIRST": str(2**63 - 2), "APP_A__COUNT": "2"},
        ["APP_A__FIRST: is so large that the numbers would leave the 64-bit range"],
    ),
    ({"APP_B__FIRST": str(2**63 - 1)}, ["APP_B__FIRST: is so large that the numbers would leave the 64-bit range"]),
]


@pytest.mark.parametrize(("environ", "lines"), REFUSED)
def test_what_does_not_fit_together_is_refused(environ: dict[str, str], lines: list[str]) -> None:
    assert faults(environ) == lines


@pytest.mark.parametrize(
    "environ",
    [
        NEAR | CLEAR,
        CLEAR | {"KAFKA_BOOTSTRAP_SERVERS": "LocalHost.:1,kafka.localhost:1"},
        FAR | LOGIN | {"KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT", "APP_KAFKA__ALLOW_PLAIN_PASSWORD": "true"},
        SASL | LOGIN,
        OAUTH | {"APP_KAFKA__OAUTH_TOKEN": "a.b.c"},
        OAUTH | ENDPOINT,
        OAUTH | CLIENT | {"APP_KAFKA__OAUTH_TOKEN_URL": "http://localhost:8081/token"},
        FAR | {"KAFKA_SECURITY_PROTOCOL": "SSL"},
        {"APP_KAFKA__TOPIC": "t" * 245},
        {"APP_STREAMS__COMMIT_INTERVAL_MS": "9999"},
        {"APP_STREAMS__COMMIT_INTERVAL_MS": "30000", "APP_STREAMS__GUARANTEE": "at_least_once"},
        {"APP_STREAMS__HEARTBEAT_INTERVAL_MS": "2000", "APP_STREAMS__SESSION_TIMEOUT_MS": "6000"},
        {"APP_STREAMS__DEAD_LETTER_TOPIC": "numtest1.dlq"},
        {"APP_A__FIRST": str(-(2**63))},
    ],
)
def test_what_fits_together_is_taken(environ: dict[str, str]) -> None:
    assert settings(environ).kafka.security_protocol == environ.get("KAFKA_SECURITY_PROTOCOL", "PLAINTEXT")


def test_a_rule_names_the_source_that_was_used(directory: Path) -> None:
    (directory / ".env").write_text("\nAPP_C__DEAD_LETTER_TOPIC=t\n")
    assert faults({}, ["--kafka-topic=t"]) == [
        ".env:2: APP_C__DEAD_LETTER_TOPIC: is t, the topic of the numbers itself; dead letters would be read again"
    ]
