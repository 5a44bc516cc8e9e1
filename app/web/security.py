"""What is refused before any endpoint sees it, and the headers that every answer carries."""

import ipaddress
import re
from collections.abc import Collection
from email.utils import formatdate

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.web.authority import STEERING, Authority, is_cross_site

LONGEST_HEAD = 10_240  # bytes of request line and headers

# Probes and scrapers address a machine by whatever name they know; what they read is no secret to them.
_ANY_HOST = frozenset({"/livez", "/readyz", "/healthz", "/metrics"})

_CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {
    "content-security-policy": _CONTENT_SECURITY_POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

_HOST = re.compile(r"(?:\[([0-9a-fA-F:.]+)]|([^\s:/@\[\]]+))(?::\d{1,5})?")


def guarded(app: ASGIApp, hosts: Collection[str], authority: Authority) -> ASGIApp:
    """`app` behind the checks. `hosts` may be asked for besides the names of this machine itself."""
    # A setting writes an IPv6 address bare, a Host header in brackets.
    written = (f"[{host}]" if host.count(":") > 1 else host for host in hosts)
    allowed = frozenset(name for name in map(host_name, written) if name)

    async def guard(scope: Scope, receive: Receive, send: Send) -> None:
        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(_HEADERS)
                headers["date"] = formatdate(usegmt=True)
            await send(message)

        await (refusal(scope, allowed, authority) or app)(scope, receive, send_with_headers)

    return guard


def refusal(scope: Scope, allowed: Collection[str], authority: Authority) -> Response | None:
    """The answer to a request that must not go further. `allowed`: as `host_name` gives them."""
    headers = Headers(scope=scope)
    method, path = scope["method"], scope["path"]
    steers = method == "POST" and path in STEERING
    if method not in ("GET", "HEAD") and not steers:
        served = "POST" if path in STEERING else "GET, HEAD"
        return _no(405, f"only {served.partition(',')[0]} is served here", {"allow": served})
    if len(path) + len(scope["query_string"]) + sum(len(k) + len(v) for k, v in headers.raw) > LONGEST_HEAD:
        return _no(431, "the request's head is too long")
    if "transfer-encoding" in headers or headers.get("content-length", "0") != "0":
        return _no(413, "no request carries a body here")
    if path not in _ANY_HOST and not _is_ours(headers.getlist("host"), scope.get("server"), allowed):
        # A page of another site could have let its own name point here (DNS rebinding); the browser then lets its
        # script read our answers, but it cannot lie about the name.
        return _no(421, "not a name of this service; APP_HTTP__ALLOWED_HOSTS can add names")
    if steers and is_cross_site(headers):
        # A page may send this without being able to read the answer: it would have been done by then.
        return _no(403, "another site's page may not ask for this")
    return authority.refusal(method, path, headers)


def _no(status: int, reason: str, headers: dict[str, str] | None = None) -> Response:
    # Closed, so that an unread body is never taken for the next request.
    return PlainTextResponse(f"{reason}\n", status, {"connection": "close", **(headers or {})})


def _is_ours(given: list[str], server: tuple[str, int | None] | None, allowed: Collection[str]) -> bool:
    name = host_name(given[0]) if len(given) == 1 else None
    if name is None:
        return False
    if name == "localhost" or name in allowed:
        return True
    address = _address(name)
    if address is None:
        return False
    # An address cannot be rebound: it is ours if it is the one that the connection came in on.
    return address.is_loopback or (server is not None and address == _address(server[0]))


def host_name(header: str) -> str | None:
    """The name or address in a Host header, normalised; None if it is not well formed."""
    match = _HOST.fullmatch(header.strip())
    if match is None:
        return None
    name = (match[1] or match[2]).lower().removesuffix(".")
    address = _address(name)
    return str(address) if address else name or None


def _address(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        return None
    # On a socket for both families an IPv4 client arrives at ::ffff:192.0.2.1.
    return (address.ipv4_mapped or address) if isinstance(address, ipaddress.IPv6Address) else address
