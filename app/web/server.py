"""The HTTP side of the service: a socket, the routes, and a server on the running loop that ends when it should."""

import errno
import ipaddress
import socket
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from app.errors import ConfigError
from app.log import get_logger
from app.settings.model import HttpSettings
from app.statistics import ServiceStatistics
from app.web.access import Streams, no_streams
from app.web.authority import Authority
from app.web.connection import Connection
from app.web.facts import facts
from app.web.metrics import CONTENT_TYPE, exposition
from app.web.page import page, static
from app.web.probes import probes
from app.web.security import LONGEST_HEAD, guarded
from app.web.stores import steering, stores

log = get_logger(__name__)

Statistics = Callable[[], ServiceStatistics]

_PORTS_TO_TRY = 100
_BACKLOG = 128
_KEEP_ALIVE_S = 5
_STOP_S = 1  # how long a client may take to read its last answer


def bind(options: HttpSettings, *, port_was_set: bool) -> socket.socket:
    """A listening socket. Raises ConfigError naming the variable: the port if it was set, else the host.

    It listens at once: two processes may bind one port with SO_REUSEADDR, but only one may listen.
    """
    family, host = _resolve(options.host)
    last = options.port if port_was_set or options.port == 0 else min(options.port + _PORTS_TO_TRY, 65_535)
    for port in range(options.port, last + 1):
        try:
            listener = _listen(family, host, port)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise _cannot_listen(options.host, port, error) from error
            continue
        if port != options.port:
            log.warning("the default port is taken: using the next free one", taken=options.port, port=port)
        return listener
    if port_was_set:
        raise ConfigError(
            f"APP_HTTP__PORT: port {options.port} on {options.host} is already in use",
            try_next="choose another, or 0 for any free one",
        )
    raise ConfigError(f"APP_HTTP__PORT: all ports from {options.port} to {last} on {options.host} are in use")


def _resolve(host: str) -> tuple[socket.AddressFamily, str]:
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"APP_HTTP__HOST: {host!r} is not an address of this machine ({error})") from error
    family, _, _, _, address = found[0]
    return family, str(address[0])


def _listen(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    # asyncio switches Nagle's delay off only where the protocol is named; with it, an answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            # `::` means every address, IPv4 too, whatever the system's default.
            listener.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        listener.bind((host, port))
        listener.listen(_BACKLOG)
        listener.setblocking(False)
    except BaseException:
        listener.close()
        raise
    return listener


def _cannot_listen(host: str, port: int, error: OSError) -> ConfigError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigError(
            f"APP_HTTP__PORT: no permission to listen on port {port}", try_next="choose one from 1024 on"
        )
    return ConfigError(f"APP_HTTP__HOST: cannot listen on {host} ({error.strerror})")


def url(listener: socket.socket) -> str:
    """Where a person on this machine finds the page."""
    host, port = listener.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 - recognised, not listened on
    return f"http://{f'[{host}]' if ':' in host else host}:{port}/"


def is_exposed(listener: socket.socket) -> bool:
    """Whether others than this machine can connect."""
    address = ipaddress.ip_address(listener.getsockname()[0].partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return not (mapped or address).is_loopback


def create_app(
    statistics: Statistics,
    hosts: Collection[str] = (),
    *,
    streams: Streams = no_streams,
    authority: Authority | None = None,
) -> ASGIApp:
    """The application without a server. `hosts`: names that it may be asked for besides this machine's own, that of its
    advertised address too."""

    async def show_metrics(_: Request) -> Response:
        return Response(exposition(statistics()), headers={"content-type": CONTENT_TYPE})

    async def show_statistics(_: Request) -> Response:
        return JSONResponse(facts(statistics()))

    async def show_page(_: Request) -> Response:
        return Response(page(facts(statistics())), media_type="text/html")

    routes = [
        Route("/", show_page),
        Route("/metrics", show_metrics),
        Route("/statistics", show_statistics),
        *probes(statistics),
        *stores(streams),
        *steering(streams),
        *static(),
    ]
    app = Starlette(routes=routes)
    app.router.redirect_slashes = False
    return guarded(app, hosts, authority or Authority())


@asynccontextmanager
async def serve(
    listener: socket.socket,
    statistics: Statistics,
    hosts: Collection[str] = (),
    *,
    streams: Streams = no_streams,
    token: str | None = None,
) -> AsyncIterator[None]:
    """Serve on the running loop while the context is open; takes the socket over and closes it. token: what questions
    to stores and every POST must bring, where others than this machine can connect or where it is set.

    Of uvicorn's server only its start and its stop are used. Its main loop would watch for signals, which are the
    service's, and wake up ten times a second for a date header, which `guarded` sets. So no task is left to die.
    """
    config = uvicorn.Config(
        create_app(statistics, hosts, streams=streams, authority=Authority(token, is_exposed(listener))),
        http=Connection,
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=_KEEP_ALIVE_S,
        timeout_graceful_shutdown=_STOP_S,
        backlog=_BACKLOG,
        h11_max_incomplete_event_size=LONGEST_HEAD,
    )
    config.load()
    server = uvicorn.Server(config)
    server.lifespan = config.lifespan_class(config)
    await server.startup(sockets=[listener])
    try:
        yield
    finally:
        try:
            await server.shutdown(sockets=[listener])
        finally:
            for connection in list(server.server_state.connections):
                connection.transport.abort()  # its client did not read in time
