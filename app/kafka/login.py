"""The SASL exchange, with aiokafka's own mechanisms: what logs in here logs in there."""

import asyncio
import json
from typing import Any

from aiokafka.conn import OAuthAuthenticator, SaslPlainAuthenticator, ScramAuthenticator

from app.errors import ExitCode
from app.kafka import faults
from app.kafka.clients import Target
from app.kafka.connection import Broken, Connection
from app.kafka.faults import Fault, Step, StepFailed
from app.kafka.requests import SASL_AUTHENTICATE, SASL_HANDSHAKE, Code, code_name
from app.kafka.tokens import TokenUnavailable


async def log_in(target: Target, connection: Connection) -> str:
    """As whom, in words. Raises StepFailed."""
    mechanism = target.settings.sasl_mechanism
    try:
        await _handshake(target, connection, mechanism)
        await _authenticate(connection, mechanism, _authenticator(target, mechanism))
    except TokenUnavailable as error:
        code = ExitCode.NO_PERMISSION if error.refused else ExitCode.UNAVAILABLE
        raise StepFailed(connection.server, Fault(Step.LOGIN, "no-token", error.why, error.look_at, code)) from error
    except Broken as error:
        raise StepFailed(connection.server, faults.closed_during(Step.LOGIN, error, target.settings)) from error
    return mechanism if mechanism == "OAUTHBEARER" else f"{mechanism} as {target.settings.sasl_username}"


async def _handshake(target: Target, connection: Connection, mechanism: str) -> None:
    answer = await connection.ask(SASL_HANDSHAKE, mechanism)
    if answer["error_code"] == Code.ILLEGAL_SASL_STATE:
        raise StepFailed(connection.server, faults.no_login_here(target.settings.security_protocol))
    if answer["error_code"] != Code.NONE or mechanism not in answer["mechanisms"]:
        raise StepFailed(connection.server, faults.login_fault(mechanism, answer["mechanisms"]))


async def _authenticate(connection: Connection, mechanism: str, authenticator: Any) -> None:
    received: bytes | None = None
    while (step := await authenticator.step(received)) is not None:
        answer = await connection.ask(SASL_AUTHENTICATE, step[0])
        if answer["error_code"] != Code.NONE:
            message = answer["error_message"] or code_name(answer["error_code"])
            raise StepFailed(connection.server, faults.refused_login(mechanism, message))
        received = answer["auth_bytes"]
        # RFC 7628 §3.2.2: a token is refused in an answer that looks like a success.
        if mechanism == "OAUTHBEARER" and received:
            raise StepFailed(connection.server, faults.refused_login(mechanism, _status(received)))


def _status(answer: bytes) -> str | None:
    """The status word of RFC 7628 §3.2.2."""
    try:
        status = json.loads(answer)["status"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return status if isinstance(status, str) else None


def _authenticator(target: Target, mechanism: str) -> Any:
    if mechanism == "OAUTHBEARER":
        return OAuthAuthenticator(sasl_oauth_token_provider=target.options["sasl_oauth_token_provider"])
    known = {
        "loop": asyncio.get_running_loop(),
        "sasl_plain_username": target.options["sasl_plain_username"],
        "sasl_plain_password": target.options["sasl_plain_password"],
    }
    if mechanism == "PLAIN":
        return SaslPlainAuthenticator(**known)
    return ScramAuthenticator(**known, sasl_mechanism=mechanism)
