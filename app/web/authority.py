"""Who may ask about stores and steer: this machine, or whoever has the token."""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from starlette.datastructures import Headers
from starlette.responses import JSONResponse, Response

SETTING = "APP_HTTP__TOKEN"
STEERING = frozenset({"/streams/pause", "/streams/resume"})
"""All that may be POSTed to."""


@dataclass(frozen=True, slots=True)
class Authority:
    """exposed: others than this machine can connect."""

    token: str | None = field(default=None, repr=False)
    exposed: bool = False

    def refusal(self, method: str, path: str, headers: Headers) -> Response | None:
        """The answer to a request that lacks the right to what it asks for."""
        if not is_guarded(method, path):
            return None
        if self.token is None:
            if not self.exposed:
                return None
            return _forbidden(
                "this service listens for other machines, and no token is set", f"set {SETTING}, and send it"
            )
        given = headers.getlist("authorization")
        scheme, _, token = given[0].partition(" ") if len(given) == 1 else ("", "", "")
        # Bytes: a comparison of texts refuses what is not ASCII, and tells so by an exception.
        if scheme.lower() == "bearer" and hmac.compare_digest(token.strip().encode(), self.token.encode()):
            return None
        return _forbidden(
            "the token is wrong" if given else "no token was sent", f"send authorization: Bearer and what {SETTING} is"
        )


def is_guarded(method: str, path: str) -> bool:
    return method == "POST" or path == "/stores" or path.startswith("/stores/")


def is_cross_site(headers: Headers) -> bool:
    """Whether a browser sends this for a page of another site. What is no browser says nothing of the kind."""
    origin, host = headers.get("origin"), headers.get("host", "")
    if origin is not None and origin.lower() not in (f"http://{host}".lower(), f"https://{host}".lower()):
        return True
    return headers.get("sec-fetch-site", "none") not in ("same-origin", "none")


def _forbidden(why: str, where: str) -> Response:
    return JSONResponse(
        {"error": "this needs a token", "why": why, "where": where}, 403, headers={"connection": "close"}
    )
