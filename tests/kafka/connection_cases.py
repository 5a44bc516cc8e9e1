"""Ways to connect, right and wrong: the settings, and for the wrong ones the line and the exit code."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from app.errors import ExitCode
from tests.kafka import far_sides
from tests.kafka.certificates import Certificates
from tests.kafka.tokens import unsecured

SECRET = "hunter2-canary"


@dataclass(frozen=True)
class Case:
    id: str
    listener: str
    settings: Callable[[Certificates], dict[str, Any]]
    line: str
    code: ExitCode


def no_files(certificates: Certificates) -> dict[str, Any]:
    return {}


def login(listener_is_tls: bool = False, **more: Any) -> Callable[[Certificates], dict[str, Any]]:
    protocol = "SASL_SSL" if listener_is_tls else "SASL_PLAINTEXT"

    def settings(certificates: Certificates) -> dict[str, Any]:
        authority = {"ssl_cafile": certificates.authority} if listener_is_tls else {}
        return {
            "security_protocol": protocol,
            "sasl_username": "alice",
            "sasl_password": SECRET,
            **authority,
            **more,
        }

    return settings


def tls(**more: str) -> Callable[[Certificates], dict[str, Any]]:
    """`more`: setting → name of a certificate."""

    def settings(certificates: Certificates) -> dict[str, Any]:
        files = {"ssl_cafile": "authority"} | more
        return {"security_protocol": "SSL"} | {
            name: getattr(certificates, file) for name, file in files.items() if file
        }

    return settings


CASES = [
    Case(
        "wrong authority",
        "TLS",
        tls(ssl_cafile="stranger"),
        "TLS failed: the broker's certificate is signed by an authority that is not trusted by APP_KAFKA__SSL_CAFILE; "
        "look at APP_KAFKA__SSL_CAFILE",
        ExitCode.CONFIG,
    ),
    Case(
        "no authority",
        "TLS",
        tls(ssl_cafile=""),
        "TLS failed: the broker's certificate is signed by an authority that is not trusted by this machine, "
        "and APP_KAFKA__SSL_CAFILE is not set; look at APP_KAFKA__SSL_CAFILE",
        ExitCode.CONFIG,
    ),
    Case(
        "wrong host name",
        "ELSEWHERE@localhost",
        tls(),
        "TLS failed: the broker's certificate is for another host name; look at APP_KAFKA__BOOTSTRAP_SERVERS",
        ExitCode.CONFIG,
    ),
    Case(
        "wrong address",
        "ELSEWHERE",
        tls(),
        "TLS failed: the broker's certificate is not for this IP address; look at APP_KAFKA__BOOTSTRAP_SERVERS",
        ExitCode.CONFIG,
    ),
    Case(
        "expired certificate",
        "EXPIRED",
        tls(),
        "TLS failed: the broker's certificate has expired; the broker needs a new one",
        ExitCode.UNAVAILABLE,
    ),
    Case(
        "client certificate missing",
        "MTLS",
        tls(),
        "TLS failed: the broker asks for a client certificate and none is set; "
        "look at APP_KAFKA__SSL_CERTFILE and APP_KAFKA__SSL_KEYFILE",
        ExitCode.NO_PERMISSION,
    ),
    Case(
        "client certificate refused",
        "MTLS",
        tls(ssl_certfile="client_of_stranger"),
        "TLS failed: the broker refuses our client certificate (certificate unknown); "
        "look at APP_KAFKA__SSL_CERTFILE and APP_KAFKA__SSL_KEYFILE",
        ExitCode.NO_PERMISSION,
    ),
    Case(
        "TLS to a plaintext port",
        "PLAINTEXT",
        tls(),
        "TLS failed: the port speaks unencrypted Kafka, and SSL was asked for; "
        "look at APP_KAFKA__SECURITY_PROTOCOL; it may be PLAINTEXT, or another port",
        ExitCode.CONFIG,
    ),
    Case(
        "login over TLS to a plaintext port",
        "LOGIN",
        login(listener_is_tls=True),
        "TLS failed: the port speaks unencrypted Kafka, and SASL_SSL was asked for; "
        "look at APP_KAFKA__SECURITY_PROTOCOL; it may be SASL_PLAINTEXT, or another port",
        ExitCode.CONFIG,
    ),
    Case(
        "plaintext to a TLS port",
        "TLS",
        no_files,
        "ApiVersions failed: the port speaks TLS, and PLAINTEXT was asked for; "
        "look at APP_KAFKA__SECURITY_PROTOCOL; it may be SSL, or another port",
        ExitCode.CONFIG,
    ),
    Case(
        "plaintext to a port with client certificates",
        "MTLS",
        no_files,
        "ApiVersions failed: the port speaks TLS, and PLAINTEXT was asked for; "
        "look at APP_KAFKA__SECURITY_PROTOCOL; it may be SSL, or another port",
        ExitCode.CONFIG,
    ),
    Case(
        "login in the clear to a TLS port",
        "SECURELOGIN",
        login(),
        "ApiVersions failed: the port speaks TLS, and SASL_PLAINTEXT was asked for; "
        "look at APP_KAFKA__SECURITY_PROTOCOL; it may be SASL_SSL, or another port",
        ExitCode.CONFIG,
    ),
    Case(
        "no login where one is needed",
        "LOGIN",
        no_files,
        "metadata failed: the broker closed the connection; it asks for a login, and PLAINTEXT has none; "
        "look at APP_KAFKA__SECURITY_PROTOCOL; it may be SASL_PLAINTEXT, or another port",
        ExitCode.CONFIG,
    ),
    Case(
        "a login where none is taken",
        "PLAINTEXT",
        login(),
        "SASL failed: the port takes no login, and SASL_PLAINTEXT was asked for; "
        "look at APP_KAFKA__SECURITY_PROTOCOL; it may be PLAINTEXT, or another port",
        ExitCode.CONFIG,
    ),
    Case(
        "wrong password, PLAIN",
        "LOGIN",
        login(),
        "SASL failed: wrong user name or password (Authentication failed: Invalid username or password); "
        "look at APP_KAFKA__SASL_USERNAME and APP_KAFKA__SASL_PASSWORD",
        ExitCode.NO_PERMISSION,
    ),
    Case(
        "wrong password, SCRAM over TLS",
        "SECURELOGIN",
        login(listener_is_tls=True, sasl_mechanism="SCRAM-SHA-512"),
        "SASL failed: wrong user name or password (Authentication failed during authentication due to invalid "
        "credentials with SASL mechanism SCRAM-SHA-512); "
        "look at APP_KAFKA__SASL_USERNAME and APP_KAFKA__SASL_PASSWORD",
        ExitCode.NO_PERMISSION,
    ),
    Case(
        "unknown user",
        "LOGIN",
        login(sasl_mechanism="SCRAM-SHA-256", sasl_username="nobody"),
        "SASL failed: wrong user name or password (Authentication failed during authentication due to invalid "
        "credentials with SASL mechanism SCRAM-SHA-256); "
        "look at APP_KAFKA__SASL_USERNAME and APP_KAFKA__SASL_PASSWORD",
        ExitCode.NO_PERMISSION,
    ),
    Case(
        "unknown mechanism",
        "LOGIN",
        login(sasl_mechanism="SCRAM-SHA-512"),
        "SASL failed: the broker does not take SCRAM-SHA-512 here, but PLAIN, SCRAM-SHA-256; "
        "look at APP_KAFKA__SASL_MECHANISM",
        ExitCode.CONFIG,
    ),
    Case(
        "token that nobody signed",
        "TOKEN",
        login(sasl_mechanism="OAUTHBEARER", oauth_token=SECRET),
        "SASL failed: the broker refuses our token (invalid_token); "
        "look at APP_KAFKA__OAUTH_TOKEN and APP_KAFKA__OAUTH_TOKEN_URL",
        ExitCode.NO_PERMISSION,
    ),
    Case(
        "token that has expired",
        "TOKEN",
        login(sasl_mechanism="OAUTHBEARER", oauth_token=unsecured("alice", -60)),
        "SASL failed: the broker refuses our token (invalid_token); "
        "look at APP_KAFKA__OAUTH_TOKEN and APP_KAFKA__OAUTH_TOKEN_URL",
        ExitCode.NO_PERMISSION,
    ),
]


FAR_SIDES = [
    (
        "silent",
        far_sides.silent,
        {},
        (
            "ApiVersions failed: the port takes connections and never answers; "
            "look at APP_KAFKA__BOOTSTRAP_SERVERS and APP_KAFKA__SECURITY_PROTOCOL"
        ),
    ),
    (
        "silent to TLS",
        far_sides.silent,
        {"security_protocol": "SSL"},
        (
            "TLS failed: the port takes connections and never answers; "
            "look at APP_KAFKA__BOOTSTRAP_SERVERS and APP_KAFKA__SECURITY_PROTOCOL"
        ),
    ),
    (
        "closes at once",
        far_sides.closing,
        {},
        (
            "ApiVersions failed: the connection was closed without an answer: not a Kafka, or one older than 0.10; "
            "look at APP_KAFKA__BOOTSTRAP_SERVERS and APP_KAFKA__SECURITY_PROTOCOL"
        ),
    ),
    (
        "closes a handshake",
        far_sides.closing,
        {"security_protocol": "SSL"},
        (
            "TLS failed: the other side closed the connection during the handshake; "
            "look at APP_KAFKA__SECURITY_PROTOCOL and APP_KAFKA__BOOTSTRAP_SERVERS"
        ),
    ),
    (
        "web server that waits",
        far_sides.web,
        {},
        "ApiVersions failed: a web server answers there, not a Kafka; look at APP_KAFKA__BOOTSTRAP_SERVERS",
    ),
    (
        "web server that answers",
        far_sides.eager_web,
        {},
        "ApiVersions failed: a web server answers there, not a Kafka; look at APP_KAFKA__BOOTSTRAP_SERVERS",
    ),
    (
        "web server without TLS",
        far_sides.eager_web,
        {"security_protocol": "SSL"},
        "TLS failed: a web server answers there, not a Kafka; look at APP_KAFKA__BOOTSTRAP_SERVERS",
    ),
    (
        "mail server",
        far_sides.babbling,
        {},
        "ApiVersions failed: something answers there that is not a Kafka; look at APP_KAFKA__BOOTSTRAP_SERVERS",
    ),
    (
        "too old",
        far_sides.kafka({**far_sides.GOOD, 1: (0, 3)}),
        {},
        (
            "ApiVersions failed: the broker is too old: it takes Fetch up to version 3, we speak 4 and later; "
            "look at APP_KAFKA__BOOTSTRAP_SERVERS; Kafka 1.1 or later is needed"
        ),
    ),
    (
        "too old for idempotence",
        far_sides.kafka({key: span for key, span in far_sides.GOOD.items() if key != 22}),
        {},
        (
            "ApiVersions failed: the broker is too old, it does not know InitProducerId; "
            "look at APP_KAFKA__BOOTSTRAP_SERVERS; Kafka 1.1 or later is needed"
        ),
    ),
    (
        "too new",
        far_sides.kafka({**far_sides.GOOD, 0: (8, 14)}),
        {},
        (
            "ApiVersions failed: the broker is too new: it takes Produce from version 8, we speak up to 7; "
            "look at APP_KAFKA__BOOTSTRAP_SERVERS"
        ),
    ),
    (
        "advertises a name that is not there",
        far_sides.kafka(advertised="no-such-host.invalid:9092"),
        {},
        (
            "metadata failed: broker 1 tells its clients to use no-such-host.invalid:9092, where DNS failed: "
            "no such host: no-such-host.invalid; look at APP_KAFKA__BOOTSTRAP_SERVERS; "
            "the broker's advertised.listeners must be reachable from here"
        ),
    ),
]


WAYS_IN = [
    ("PLAINTEXT", no_files),
    ("TLS", tls()),
    ("TLS@localhost", tls()),
    ("MTLS", tls(ssl_certfile="client")),
    ("LOGIN", login(sasl_username="admin", sasl_password="admin-secret")),
    ("LOGIN", login(sasl_username="admin", sasl_password="admin-secret", sasl_mechanism="SCRAM-SHA-256")),
    ("SECURELOGIN", login(True, sasl_username="admin", sasl_password="admin-secret", sasl_mechanism="SCRAM-SHA-512")),
    ("TOKEN", login(sasl_mechanism="OAUTHBEARER", oauth_token=unsecured("admin", 3600))),
]
