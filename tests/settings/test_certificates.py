"""PEM files are looked at before a connection is: these are real ones."""

from pathlib import Path

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
    load_pem_private_key,
)

from tests.settings.trying import faults, settings

SSL = {"KAFKA_BOOTSTRAP_SERVERS": "kafka:9093", "KAFKA_SECURITY_PROTOCOL": "SSL"}
PASSWORD = "canary in a coal mine"


@pytest.fixture
def files(directory: Path) -> Path:
    """ca.pem; client.pem with client.key, sealed.key and both.pem; other.key of another certificate."""
    authority = trustme.CA()
    authority.cert_pem.write_to_path("ca.pem")
    client = authority.issue_cert("client.test")
    client.cert_chain_pems[0].write_to_path("client.pem")
    client.private_key_pem.write_to_path("client.key")
    client.private_key_and_cert_chain_pem.write_to_path("both.pem")
    authority.issue_cert("other.test").private_key_pem.write_to_path("other.key")
    sealed = load_pem_private_key(client.private_key_pem.bytes(), None).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(PASSWORD.encode())
    )
    Path("sealed.key").write_bytes(sealed)
    Path("broken.pem").write_text("-----BEGIN CERTIFICATE-----\nbm90IG9uZQ==\n-----END CERTIFICATE-----\n")
    Path("broken.key").write_text("-----BEGIN PRIVATE KEY-----\nbm90IG9uZQ==\n-----END PRIVATE KEY-----\n")
    return directory


def given(**files: str) -> dict[str, str]:
    return SSL | {f"KAFKA_SSL_{name.upper()}": value for name, value in files.items()}


@pytest.mark.parametrize(
    "environ",
    [
        given(cafile="ca.pem"),
        given(cafile="ca.pem", certfile="client.pem", keyfile="client.key"),
        given(certfile="both.pem"),
        given(certfile="client.pem", keyfile="sealed.key", keypassword=PASSWORD),
        given(certfile="client.pem", keyfile="client.key", keypassword="not needed"),
    ],
)
@pytest.mark.usefixtures("files")
def test_good_files_are_taken(environ: dict[str, str]) -> None:
    assert settings(environ).kafka.security_protocol == "SSL"


@pytest.mark.parametrize(
    ("environ", "line"),
    [
        (given(cafile="no.pem"), "KAFKA_SSL_CAFILE: no.pem cannot be read: No such file or directory"),
        (given(cafile="."), "KAFKA_SSL_CAFILE: . cannot be read: Is a directory"),
        (given(cafile="client.key"), "KAFKA_SSL_CAFILE: client.key holds no certificate in PEM form"),
        (given(cafile="broken.pem"), "KAFKA_SSL_CAFILE: broken.pem holds a certificate that cannot be read"),
        (
            given(certfile="client.pem"),
            "KAFKA_SSL_CERTFILE: client.pem holds no private key; set APP_KAFKA__SSL_KEYFILE",
        ),
        (given(certfile="no.pem"), "KAFKA_SSL_CERTFILE: no.pem cannot be read: No such file or directory"),
        (
            given(certfile="client.pem", keyfile="no.key"),
            "KAFKA_SSL_KEYFILE: no.key cannot be read: No such file or directory",
        ),
        (
            given(certfile="client.pem", keyfile="ca.pem"),
            "KAFKA_SSL_KEYFILE: ca.pem holds no private key in PEM form",
        ),
        (
            given(certfile="client.pem", keyfile="other.key"),
            "KAFKA_SSL_KEYFILE: the key in other.key does not belong to the certificate in client.pem",
        ),
        (
            given(certfile="client.pem", keyfile="broken.key"),
            "KAFKA_SSL_KEYFILE: the key in broken.key or the certificate in client.pem cannot be read",
        ),
        (
            given(keyfile="client.key"),
            "KAFKA_SSL_KEYFILE: is set without APP_KAFKA__SSL_CERTFILE, the certificate that it belongs to",
        ),
        (
            given(keypassword="canary"),
            "KAFKA_SSL_KEYPASSWORD: is set without APP_KAFKA__SSL_KEYFILE, the key that it opens",
        ),
        (
            given(certfile="client.pem", keyfile="sealed.key"),
            "APP_KAFKA__SSL_KEYPASSWORD: is missing; the key in sealed.key is encrypted",
        ),
        (
            given(certfile="client.pem", keyfile="sealed.key", keypassword="canary"),
            "KAFKA_SSL_KEYPASSWORD: does not open the key in sealed.key",
        ),
        (
            given(certfile="client.pem", keyfile="sealed.key", keypassword="canary" * 400),
            "KAFKA_SSL_KEYPASSWORD: does not open the key in sealed.key",
        ),
    ],
)
@pytest.mark.usefixtures("files")
def test_a_file_that_is_not_what_it_should_be_is_one_line(environ: dict[str, str], line: str) -> None:
    assert faults(environ) == [line]
