"""Tokens for OAUTHBEARER: a ready one, or the client credentials grant (RFC 6749 §4.4) of a token endpoint.

Kafka's OAuthBearerLoginModule refreshes at a fraction of a token's life; here a token is asked for when a connection
logs in, and kept until that fraction has passed.
"""

import asyncio
import base64
import json
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO
from urllib.parse import quote_plus, urlencode, urlsplit

from aiokafka.abc import AbstractTokenProvider
from aiokafka.errors import KafkaConnectionError

from app.errors import ConfigError
from app.kafka.addresses import is_loopback
from app.settings.model import KafkaSettings
from app.threads import abandonable

REFRESH_AFTER = 0.8  # of its life, as sasl.login.refresh.window.factor
TIMEOUT_S = 3.0
LARGEST_ANSWER = 1 << 20
TOKEN = "APP_KAFKA__OAUTH_TOKEN"  # noqa: S105  # a variable's name
TOKEN_URL = "APP_KAFKA__OAUTH_TOKEN_URL"  # noqa: S105  # a variable's name
CLIENT_ID = "APP_KAFKA__OAUTH_CLIENT_ID"
CLIENT_SECRET = "APP_KAFKA__OAUTH_CLIENT_SECRET"  # noqa: S105  # a variable's name


class TokenUnavailable(KafkaConnectionError):  # type: ignore[misc]  # aiokafka is untyped
    """There is no token now. One of aiokafka's errors, so that its clients back off and try again.

    `refused`: the endpoint answered and said no; waiting will not help.
    """

    retriable = True

    def __init__(self, why: str, look_at: tuple[str, ...] = (TOKEN_URL,), refused: bool = False) -> None:
        super().__init__(why)
        self.why = why
        self.look_at = look_at
        self.refused = refused


@dataclass(frozen=True, slots=True)
class Token:
    value: str
    lifetime: float | None
    """Seconds; None: good for one login."""


class TokenSource(AbstractTokenProvider):  # type: ignore[misc]  # aiokafka is untyped
    """Gives every login a token that has not expired; several logins at a time cost one fetch."""

    def __init__(self, fetch: Callable[[], Token], clock: Callable[[], float] = time.monotonic) -> None:
        self._fetch = fetch
        self._clock = clock
        self._lock = asyncio.Lock()
        self._kept: tuple[str, float] | None = None

    async def token(self) -> str:
        """Raises TokenUnavailable."""
        async with self._lock:
            if self._kept is not None and self._clock() < self._kept[1]:
                return self._kept[0]
            asked = self._clock()
            try:
                async with asyncio.timeout(TIMEOUT_S + 0.5):
                    token = await abandonable(self._fetch)
            except TimeoutError as error:
                raise TokenUnavailable("the token endpoint does not answer") from error
            self._kept = None if token.lifetime is None else (token.value, asked + token.lifetime * REFRESH_AFTER)
            return token.value


def token_source(settings: KafkaSettings, token_file: Path | None = None) -> TokenSource:
    """Raises ConfigError."""
    if token_file is not None:
        return TokenSource(partial(_from_file, token_file))
    if settings.oauth_token is not None:
        ready = Token(settings.oauth_token.get_secret_value(), None)
        return TokenSource(lambda: ready)
    return TokenSource(endpoint(settings))


def _from_file(path: Path) -> Token:
    """Read at each login: what put it there also renews it, as Kubernetes does with projected tokens."""
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        raise TokenUnavailable(f"the token cannot be read from {path}", (f"{TOKEN}_FILE",)) from error
    if not _is_token(text):
        raise TokenUnavailable(f"there is no token in {path}", (f"{TOKEN}_FILE",))
    return Token(text, None)


def _is_token(text: str) -> bool:
    return bool(text) and text.isascii() and text.isprintable()


def endpoint(settings: KafkaSettings) -> Callable[[], Token]:
    """A blocking call of the token endpoint. Raises ConfigError where the settings do not allow it."""
    url, client, client_secret = settings.oauth_token_url, settings.oauth_client_id, settings.oauth_client_secret
    if url is None or client is None or client_secret is None:
        raise ConfigError(f"{TOKEN} or {TOKEN_URL}, {CLIENT_ID} and {CLIENT_SECRET}: needed for OAUTHBEARER")
    parts = urlsplit(url)
    host = parts.hostname or ""
    if parts.scheme != "https" and not is_loopback(host) and not settings.allow_plain_password:
        raise ConfigError(f"{TOKEN_URL}: would send the client secret unencrypted to {host}; use https")
    # RFC 6749 §2.3.1: both are form-encoded first.
    credentials = f"{quote_plus(client)}:{quote_plus(client_secret.get_secret_value())}"
    form = {"grant_type": "client_credentials"} | ({"scope": settings.oauth_scope} if settings.oauth_scope else {})
    request = urllib.request.Request(  # noqa: S310  # http or https: the settings take no other
        url,
        data=urlencode(form).encode(),
        headers={
            "Authorization": f"Basic {base64.b64encode(credentials.encode()).decode()}",
            "Accept": "application/json",
        },
    )
    context = ssl.create_default_context()
    if settings.ssl_cafile is not None:
        # A private authority that signs the brokers' certificates often signs the endpoint's, too.
        context.load_verify_locations(settings.ssl_cafile)
    handlers: list[urllib.request.BaseHandler] = [urllib.request.HTTPSHandler(context=context), _NoRedirect()]
    if is_loopback(host):
        handlers.append(urllib.request.ProxyHandler({}))
    opener = urllib.request.build_opener(*handlers)
    return lambda: _ask(opener, request)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """The client secret goes to the URL that was set and nowhere else."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: HTTPMessage, newurl: str
    ) -> None:
        return None


def _ask(opener: urllib.request.OpenerDirector, request: urllib.request.Request) -> Token:
    try:
        with opener.open(request, timeout=TIMEOUT_S) as response:
            body = response.read(LARGEST_ANSWER)
    except urllib.error.HTTPError as error:
        with error:
            raise _refusal(error.code, error.read(LARGEST_ANSWER)) from error
    except (OSError, HTTPException) as error:
        raise TokenUnavailable(f"the token endpoint cannot be asked: {_reason(error)}") from error
    return parse_answer(body)


def _reason(error: Exception) -> str:
    cause = error.reason if isinstance(error, urllib.error.URLError) else error
    if isinstance(cause, ssl.SSLCertVerificationError):
        return f"its certificate is not accepted, {cause.verify_message}"
    if isinstance(cause, TimeoutError):
        return "no answer"
    return (cause.strerror if isinstance(cause, OSError) else "") or type(cause).__name__


def _refusal(status: int, body: bytes) -> TokenUnavailable:
    """Only the error word of RFC 6749 §5.2 is shown: the rest of an answer may repeat what was sent."""
    try:
        word = json.loads(body)["error"]
    except (ValueError, KeyError, TypeError, RecursionError):
        word = None
    said = f": {word}" if isinstance(word, str) and word.isidentifier() and len(word) < 40 else ""
    refused = status in (400, 401, 403)
    look_at = (CLIENT_ID, CLIENT_SECRET) if refused else (TOKEN_URL,)
    return TokenUnavailable(f"the token endpoint answers with status {status}{said}", look_at, refused)


def parse_answer(body: bytes) -> Token:
    """The answer of RFC 6749 §5.1. Raises TokenUnavailable."""
    try:
        answer = json.loads(body)
        value = answer["access_token"]
        lifetime = answer.get("expires_in")
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise TokenUnavailable("the token endpoint's answer holds no access_token") from error
    if not isinstance(value, str) or not _is_token(value):
        raise TokenUnavailable("the token endpoint's answer holds no access_token")
    try:
        seconds = None if lifetime is None else max(0.0, min(float(lifetime), 86_400.0))
    except (ValueError, TypeError, OverflowError):
        seconds = None
    return Token(value, seconds)
