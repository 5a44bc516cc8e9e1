"""Certificates for listeners and clients: one authority that is trusted, one that is not."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)


@dataclass(frozen=True)
class Certificates:
    authority: Path
    stranger: Path
    """An authority that signed nothing of the broker's."""
    broker: Path
    """Key and chain for localhost and 127.0.0.1, as Kafka's PEM key stores take them."""
    elsewhere: Path
    """The same for another host name."""
    expired: Path
    client: Path
    client_locked: Path
    """The client's with a password on the key, which is `sesame`."""
    client_of_stranger: Path


def issue(directory: Path) -> Certificates:
    now = datetime.now(UTC)
    good, bad = trustme.CA(), trustme.CA()
    made = {
        "broker": good.issue_cert("localhost", "127.0.0.1"),
        "elsewhere": good.issue_cert("kafka.example"),
        "expired": good.issue_cert(
            "localhost", "127.0.0.1", not_before=now - timedelta(days=9), not_after=now - timedelta(days=2)
        ),
        "client": good.issue_cert("client@example.org", common_name="service"),
        "client_of_stranger": bad.issue_cert("client@example.org", common_name="service"),
    }
    files = {name: _write(directory / f"{name}.pem", leaf) for name, leaf in made.items()}
    good.cert_pem.write_to_path(str(directory / "authority.pem"))
    bad.cert_pem.write_to_path(str(directory / "stranger.pem"))
    return Certificates(
        authority=directory / "authority.pem",
        stranger=directory / "stranger.pem",
        client_locked=_write(directory / "client_locked.pem", made["client"], b"sesame"),
        **files,
    )


def _write(path: Path, leaf: trustme.LeafCert, password: bytes | None = None) -> Path:
    """Kafka reads PKCS #8 keys only."""
    key = load_pem_private_key(leaf.private_key_pem.bytes(), None)
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    chain = b"".join(part.bytes() for part in leaf.cert_chain_pems)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption) + chain)
    return path
