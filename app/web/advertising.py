"""Where other machines find this one, when nobody has said so."""

import socket

from app.web.server import is_exposed, url

_ANY_PORT = 9


def own_address(listener: socket.socket, towards: str | None) -> str:
    """`http://host:port`. What listens on every address is found at the one from which this machine speaks to `towards`
    (host:port of a broker, which the other instances reach too); no packet is sent to find out."""
    host, port = listener.getsockname()[:2]
    if not is_exposed(listener) or towards is None or host not in ("0.0.0.0", "::"):  # noqa: S104 - recognised only
        return url(listener).rstrip("/")
    there = towards.rpartition(":")[0].strip("[]")
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(there, _ANY_PORT, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind, protocol) as probe:
            probe.connect(address)
            own = probe.getsockname()[0]
    except OSError:
        return url(listener).rstrip("/")
    return f"http://{f'[{own}]' if ':' in own else own}:{port}"
