"""The options that every client gets, and that they work: the same ways in as `check`'s, with aiokafka itself."""

import asyncio
import ssl
from collections.abc import Callable
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

from app.errors import ConfigError
from app.kafka.clients import client_options, ssl_context
from app.settings import KafkaSettings
from tests.kafka.certificates import Certificates
from tests.kafka.connection_cases import WAYS_IN
from tests.kafka.listeners import Listeners
from tests.kafka.test_probe import address_of, settled


@pytest.mark.parametrize(("listener", "settings"), WAYS_IN, ids=[f"{name}-{i}" for i, (name, _) in enumerate(WAYS_IN)])
async def test_every_client_gets_in(
    listener: str, settings: Callable[[Certificates], dict[str, Any]], listeners: Listeners
) -> None:
    server = address_of(listeners, listener)
    options = client_options(settled(server, **settings(listeners.certificates)).kafka, (server,))

    admin, consumer, producer = AIOKafkaAdminClient(**options), AIOKafkaConsumer(**options), AIOKafkaProducer(**options)
    await admin.start()
    await admin.close()
    await consumer.start()
    await consumer.topics()  # one turn of the loop at least: a stop right after the start raises CancelledError
    await consumer.stop()
    await producer.start()
    await producer.stop()
    await connections_closed()


async def connections_closed() -> None:
    """aiokafka does not wait for the end of its TLS connections, and a loop that ends first leaves them open."""
    sockets = asyncio.get_running_loop()._selector  # type: ignore[attr-defined]  # noqa: SLF001  # nothing else tells
    async with asyncio.timeout(5):
        while len(sockets.get_map()) > 1:  # noqa: ASYNC110  # the one that is left is the loop's own
            await asyncio.sleep(0.01)


def test_plain_connections_have_no_login_and_no_tls() -> None:
    options = client_options(KafkaSettings(client_id="me", request_timeout_ms=1234), ("a:1", "b:2"))

    assert options == {
        "bootstrap_servers": ["a:1", "b:2"],
        "client_id": "me",
        "request_timeout_ms": 1234,
        "metadata_max_age_ms": 30_000,
        "retry_backoff_ms": 100,
        "connections_max_idle_ms": 540_000,
        "security_protocol": "PLAINTEXT",
        "ssl_context": None,
    }


def test_clients_share_certificates_and_token() -> None:
    settings = KafkaSettings.model_validate(
        {"security_protocol": "SASL_SSL", "sasl_mechanism": "OAUTHBEARER", "oauth_token": "t"}
    )
    one, other = client_options(settings, ("a:1",)), client_options(settings, ("a:1",))

    assert one is not other
    assert one["ssl_context"] is other["ssl_context"]
    assert one["sasl_oauth_token_provider"] is other["sasl_oauth_token_provider"]


def test_brokers_are_always_verified() -> None:
    context = ssl_context(KafkaSettings(security_protocol="SSL"))

    assert context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    assert context.cert_store_stats()["x509_ca"] > 0


def test_only_the_authorities_that_were_set_are_trusted(certificates: Certificates) -> None:
    context = ssl_context(KafkaSettings(security_protocol="SSL", ssl_cafile=certificates.authority))

    assert context.cert_store_stats()["x509_ca"] == 1


def test_a_key_with_a_password(certificates: Certificates) -> None:
    ssl_context(with_locked_key(certificates, "sesame"))


@pytest.mark.parametrize("password", ["wrong", None])
def test_a_key_that_does_not_open_is_no_traceback_and_no_prompt(
    certificates: Certificates, password: str | None
) -> None:
    with pytest.raises(ConfigError, match=r"^APP_KAFKA__SSL_CERTFILE: .*client_locked\.pem cannot be used: "):
        ssl_context(with_locked_key(certificates, password))


def test_a_file_that_went_away_since_the_start(certificates: Certificates) -> None:
    gone = certificates.authority.with_name("gone.pem")

    with pytest.raises(ConfigError, match=r"^APP_KAFKA__SSL_CAFILE: .*gone\.pem cannot be used: No such file"):
        ssl_context(KafkaSettings(security_protocol="SSL", ssl_cafile=gone))


def with_locked_key(certificates: Certificates, password: str | None) -> KafkaSettings:
    return KafkaSettings.model_validate(
        {
            "security_protocol": "SSL",
            "ssl_cafile": certificates.authority,
            "ssl_certfile": certificates.client_locked,
            "ssl_keypassword": password,
        }
    )
