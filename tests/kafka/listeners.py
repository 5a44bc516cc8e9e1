"""One broker with a listener for every way to connect, right and wrong."""

import socket
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from app.broker import Extra
from tests.brokers import BrokerUnderTest
from tests.kafka.certificates import Certificates, issue

USERS = {"admin": "admin-secret", "alice": "alice-secret", "bob": "bob-secret"}
"""admin may do everything, alice what tests grant her, bob nothing."""

PROTOCOLS = {
    "TLS": "SSL",
    "EXPIRED": "SSL",
    "ELSEWHERE": "SSL",
    "MTLS": "SSL",
    "LOGIN": "SASL_PLAINTEXT",
    "SECURELOGIN": "SASL_SSL",
    "TOKEN": "SASL_PLAINTEXT",
}
"""Listeners beside the plain one; EXPIRED and ELSEWHERE differ from TLS in their certificate."""

LISTENS_WITHIN = 30.0
_SCRAM = "org.apache.kafka.common.security.scram.ScramLoginModule required;"
_TOKENS = "org.apache.kafka.common.security.oauthbearer"


@dataclass(frozen=True)
class Listeners:
    addresses: Mapping[str, str]
    """Listener name → host:port; PLAINTEXT and those of PROTOCOLS."""
    certificates: Certificates


def extra(certificates: Certificates) -> Extra:
    users = " ".join(f'user_{name}="{password}"' for name, password in USERS.items())
    properties = {
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:admin",
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(certificates.broker),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(certificates.authority),
        "listener.name.expired.ssl.keystore.location": str(certificates.expired),
        "listener.name.elsewhere.ssl.keystore.location": str(certificates.elsewhere),
        "listener.name.mtls.ssl.client.auth": "required",
        "listener.name.login.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256",
        "listener.name.securelogin.sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512",
        "listener.name.token.sasl.enabled.mechanisms": "OAUTHBEARER",
        "listener.name.token.oauthbearer.sasl.jaas.config": f"{_TOKENS}.OAuthBearerLoginModule required;",
        "listener.name.token.oauthbearer.sasl.server.callback.handler.class": (
            f"{_TOKENS}.internals.unsecured.OAuthBearerUnsecuredValidatorCallbackHandler"
        ),
    }
    for name in ("login", "securelogin"):
        properties |= {
            f"listener.name.{name}.plain.sasl.jaas.config": (
                f"org.apache.kafka.common.security.plain.PlainLoginModule required {users};"
            ),
            f"listener.name.{name}.scram-sha-256.sasl.jaas.config": _SCRAM,
            f"listener.name.{name}.scram-sha-512.sasl.jaas.config": _SCRAM,
        }
    scram = [
        part
        for mechanism in ("SCRAM-SHA-256", "SCRAM-SHA-512")
        for name, password in USERS.items()
        for part in ("--add-scram", f"{mechanism}=[name={name},password={password}]")
    ]
    return Extra(properties=properties, listeners=PROTOCOLS, format=tuple(scram), restart=False)


@contextmanager
def started(directory: Path) -> Iterator[Listeners]:
    certificates = issue(directory)
    with BrokerUnderTest(directory / "broker", extra(certificates)) as broker:
        for address in broker.addresses.values():
            _wait_for(address)  # one after the other they begin to listen
        yield Listeners(broker.addresses, certificates)


def _wait_for(address: str) -> None:
    host, port = address.split(":")
    until = time.monotonic() + LISTENS_WITHIN
    while True:
        try:
            socket.create_connection((host, int(port)), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.05)
