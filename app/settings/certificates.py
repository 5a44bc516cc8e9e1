"""Are the PEM files what they should be? Asked at the start, so that a wrong path is not a broker that is down."""

import ssl
from collections.abc import Iterator
from pathlib import Path

from app.settings.files import Unreadable, content
from app.settings.model import KafkaSettings
from app.settings.rules import Fault

_CERTIFICATE = "-----BEGIN CERTIFICATE-----"
_KEY = "PRIVATE KEY-----"
_WITHOUT_PASSWORD = "none given"  # noqa: S105  # a value, since OpenSSL asks on the terminal when there is none


def faults(kafka: KafkaSettings) -> Iterator[Fault]:
    if "SSL" not in kafka.security_protocol:
        return
    if kafka.ssl_cafile is not None:
        yield from _authorities(kafka.ssl_cafile)
    if kafka.ssl_certfile is not None:
        yield from _pair(kafka, kafka.ssl_certfile)
        return
    if kafka.ssl_keyfile is not None:
        yield Fault("kafka.ssl_keyfile", "is set without APP_KAFKA__SSL_CERTFILE, the certificate that it belongs to")
    elif kafka.ssl_keypassword is not None:
        yield Fault("kafka.ssl_keypassword", "is set without APP_KAFKA__SSL_KEYFILE, the key that it opens")


def _authorities(path: Path) -> Iterator[Fault]:
    fault = _unlike(path, _CERTIFICATE, "certificate")
    if fault is None:
        try:
            ssl.create_default_context(cafile=str(path))
        except (ssl.SSLError, ValueError):
            fault = f"{path} holds a certificate that cannot be read"
    if fault is not None:
        yield Fault("kafka.ssl_cafile", fault)


def _pair(kafka: KafkaSettings, certificate: Path) -> Iterator[Fault]:
    """The key may stand in the certificate's file."""
    fault = _unlike(certificate, _CERTIFICATE, "certificate")
    if fault is not None:
        yield Fault("kafka.ssl_certfile", fault)
        return
    key = kafka.ssl_keyfile or certificate
    fault = _unlike(key, _KEY, "private key")
    if fault is not None:
        if kafka.ssl_keyfile is None:
            yield Fault("kafka.ssl_certfile", f"{certificate} holds no private key; set APP_KAFKA__SSL_KEYFILE")
        else:
            yield Fault("kafka.ssl_keyfile", fault)
        return
    yield from _opened(kafka, certificate, key)


def _opened(kafka: KafkaSettings, certificate: Path, key: Path) -> Iterator[Fault]:
    encrypted = "ENCRYPTED" in content(key, secret=False)
    password = kafka.ssl_keypassword
    if encrypted and password is None:
        yield Fault("kafka.ssl_keypassword", f"is missing; the key in {key} is encrypted")
        return
    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.load_cert_chain(certificate, key, password.get_secret_value() if password else _WITHOUT_PASSWORD)
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            yield Fault("kafka.ssl_keyfile", f"the key in {key} does not belong to the certificate in {certificate}")
        elif encrypted:
            yield Fault("kafka.ssl_keypassword", f"does not open the key in {key}")
        else:
            yield Fault("kafka.ssl_keyfile", f"the key in {key} or the certificate in {certificate} cannot be read")
    except ValueError:  # a password of more than 1,024 bytes
        yield Fault("kafka.ssl_keypassword", f"does not open the key in {key}")


def _unlike(path: Path, mark: str, what: str) -> str | None:
    try:
        return None if mark in content(path, secret=False) else f"{path} holds no {what} in PEM form"
    except Unreadable as why:
        return f"{path} cannot be read: {why}"
