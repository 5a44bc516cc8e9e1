"""Tokens: from where, for how long, and what is said when there is none."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from app.errors import BrokerUnavailable, ConfigError, NoPermission
from app.kafka.probe import reach
from app.kafka.tokens import Token, TokenSource, TokenUnavailable, token_source
from app.settings import KafkaSettings
from tests.kafka.far_sides import dead_port, serving, silent
from tests.kafka.listeners import Listeners
from tests.kafka.tokens import unsecured

SECRET = "s3cret-canary/&="


@dataclass
class Endpoint:
    """A token endpoint on the test's own event loop: a client that blocked the loop would never be answered."""

    answer: bytes = b""
    status: str = "200 OK"
    headers: str = ""
    asked: list[bytes] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        length = next(int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:"))
        self.asked.append(head + await reader.readexactly(length))
        writer.write(f"HTTP/1.1 {self.status}\r\n{self.headers}Connection: close\r\n\r\n".encode() + self.answer)
        await writer.drain()


@asynccontextmanager
async def answering(**values: Any) -> AsyncIterator[tuple[Endpoint, KafkaSettings]]:
    endpoint = Endpoint(**values)
    async with serving(endpoint.handle) as address:
        yield endpoint, settings(f"http://{address}/token")


def settings(url: str, **more: Any) -> KafkaSettings:
    return KafkaSettings.model_validate(
        {
            "security_protocol": "SASL_PLAINTEXT",
            "sasl_mechanism": "OAUTHBEARER",
            "oauth_token_url": url,
            "oauth_client_id": "the client",
            "oauth_client_secret": SECRET,
            **more,
        }
    )


def granted(value: str = "abc.def", **more: object) -> bytes:
    return json.dumps({"access_token": value, "token_type": "Bearer", **more}).encode()


async def test_the_client_credentials_grant() -> None:
    async with answering(answer=granted(expires_in=60)) as (endpoint, kafka):
        token = await token_source(kafka.model_copy(update={"oauth_scope": "kafka write"})).token()

    (request,) = endpoint.asked
    head, _, body = request.partition(b"\r\n\r\n")
    credentials = base64.b64encode(b"the+client:s3cret-canary%2F%26%3D").decode()
    assert token == "abc.def"
    assert head.startswith(b"POST /token HTTP/1.1\r\n")
    assert f"authorization: basic {credentials}".lower().encode() in head.lower()
    assert body == b"grant_type=client_credentials&scope=kafka+write"


async def test_a_token_is_kept_for_four_fifths_of_its_life() -> None:
    now = 1000.0
    made = iter(range(9))
    source = TokenSource(lambda: Token(f"token-{next(made)}", 100.0), clock=lambda: now)

    first = await source.token()
    now += 79.9
    kept = await source.token()
    now += 0.2
    renewed = await source.token()

    assert (first, kept, renewed) == ("token-0", "token-0", "token-1")


async def test_without_a_lifetime_every_login_asks() -> None:
    async with answering(answer=granted()) as (endpoint, kafka):
        source = token_source(kafka)
        await source.token()
        await source.token()

    assert len(endpoint.asked) == 2


async def test_logins_at_the_same_time_ask_once() -> None:
    async with answering(answer=granted(expires_in="3600")) as (endpoint, kafka):
        source = token_source(kafka)
        tokens = await asyncio.gather(*(source.token() for _ in range(10)))

    assert set(tokens) == {"abc.def"}
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    ("values", "why", "refused"),
    [
        (
            {"status": "401 Unauthorized", "answer": json.dumps({"error": "invalid_client", "was": SECRET}).encode()},
            "the token endpoint answers with status 401: invalid_client",
            True,
        ),
        (
            {"status": "400 Bad Request", "answer": json.dumps({"error": f"no {SECRET}"}).encode()},
            "the token endpoint answers with status 400",
            True,
        ),
        ({"status": "503 Service Unavailable"}, "the token endpoint answers with status 503", False),
        (
            {"status": "302 Found", "headers": "Location: http://elsewhere.invalid/\r\n"},
            "the token endpoint answers with status 302",
            False,
        ),
        ({"answer": b"<html>"}, "the token endpoint's answer holds no access_token", False),
        ({"answer": b"[" * 100_000}, "the token endpoint's answer holds no access_token", False),
        ({"answer": b"[]"}, "the token endpoint's answer holds no access_token", False),
        ({"answer": granted("a\x01b")}, "the token endpoint's answer holds no access_token", False),
        ({"answer": granted("")}, "the token endpoint's answer holds no access_token", False),
    ],
)
async def test_an_endpoint_that_gives_none(values: dict[str, Any], why: str, refused: bool) -> None:
    async with answering(**values) as (_, kafka):
        with pytest.raises(TokenUnavailable) as caught:
            await token_source(kafka).token()

    assert (caught.value.why, caught.value.refused) == (why, refused)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("lifetime", ["soon", [], float("nan"), -1, 1e400])
async def test_a_lifetime_that_is_none_is_not_relied_on(lifetime: object) -> None:
    async with answering(answer=granted(expires_in=lifetime)) as (_, kafka):
        assert await token_source(kafka).token() == "abc.def"


async def test_an_endpoint_that_is_silent_is_given_up() -> None:
    started = time.monotonic()
    async with serving(silent) as address:
        with pytest.raises(TokenUnavailable) as caught:
            await token_source(settings(f"http://{address}/")).token()

    assert caught.value.why == "the token endpoint cannot be asked: no answer"
    assert time.monotonic() - started < 5


async def test_the_broker_takes_a_token_of_the_endpoint(listeners: Listeners) -> None:
    async with answering(answer=granted(unsecured("admin", 600), expires_in=600)) as (endpoint, kafka):
        for _ in range(3):
            await reach(kafka, (listeners.addresses["TOKEN"],))

    assert len(endpoint.asked) == 1


async def test_check_names_the_endpoint(listeners: Listeners) -> None:
    server = listeners.addresses["TOKEN"]
    with dead_port() as dead, pytest.raises(BrokerUnavailable) as unreachable:
        await reach(settings(f"http://{dead}/"), (server,))
    async with answering(status="401 Unauthorized") as (_, kafka):
        with pytest.raises(NoPermission) as refused:
            await reach(kafka, (server,))

    assert str(unreachable.value) == (
        "SASL failed: the token endpoint cannot be asked: Connection refused; look at APP_KAFKA__OAUTH_TOKEN_URL"
    )
    assert str(refused.value) == (
        "SASL failed: the token endpoint answers with status 401; "
        "look at APP_KAFKA__OAUTH_CLIENT_ID and APP_KAFKA__OAUTH_CLIENT_SECRET"
    )


async def test_a_token_file_is_read_at_every_login(tmp_path: Path) -> None:
    file = tmp_path / "token"
    source = token_source(KafkaSettings.model_validate({"oauth_token": "old"}), file)

    file.write_text("first\n")
    first = await source.token()
    file.write_text("second\n")
    second = await source.token()
    file.unlink()
    with pytest.raises(TokenUnavailable) as caught:
        await source.token()

    assert (first, second) == ("first", "second")
    assert caught.value.why == f"the token cannot be read from {file}"
    assert caught.value.look_at == ("APP_KAFKA__OAUTH_TOKEN_FILE",)


async def test_an_empty_token_file(tmp_path: Path) -> None:
    file = tmp_path / "token"
    file.write_bytes(b"\n")

    with pytest.raises(TokenUnavailable, match="there is no token in"):
        await token_source(KafkaSettings(), file).token()


async def test_a_ready_token() -> None:
    assert await token_source(KafkaSettings.model_validate({"oauth_token": "ready"})).token() == "ready"


def test_a_client_secret_stays_off_the_open_network() -> None:
    with pytest.raises(ConfigError, match="would send the client secret unencrypted to login"):
        token_source(settings("http://login.example/token"))

    token_source(settings("http://login.example/token", allow_plain_password=True))
    token_source(settings("https://login.example/token"))
