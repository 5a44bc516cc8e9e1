"""Free ports that stay the broker's own while it is restarted."""

import random
import socket
from collections.abc import Mapping

from app.errors import ConfigError

HOST = "127.0.0.1"
# Below the ports that Linux (32768) and macOS (49152) give to outgoing connections. While the broker is down, a client
# that keeps connecting to a port in that range may be given the very port as its own, reach itself, and block the
# broker's return.
FIRST, LAST = 15_000, 32_000
ATTEMPTS = 1_000


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        # As the broker binds it: connections of its last life that linger must not count.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def settle(names: tuple[str, ...], remembered: Mapping[str, int], chosen: Mapping[str, int]) -> dict[str, int]:
    """A port for each listener: the one that was set, else the one it had last time, else any that is free."""
    ports: dict[str, int] = {}
    for name in names:
        if name in chosen:
            if not is_free(chosen[name]):
                raise ConfigError(
                    f"APP_BROKER__PORT: port {chosen[name]} is taken", try_next="set another, or 0 for any"
                )
            ports[name] = chosen[name]
        elif (port := remembered.get(name)) is not None and port not in chosen.values() and is_free(port):
            ports[name] = port
        else:
            ports[name] = _any_free({*chosen.values(), *remembered.values(), *ports.values()})
    return ports


def _any_free(taken: set[int]) -> int:
    for _ in range(ATTEMPTS):
        port = random.randint(FIRST, LAST)  # noqa: S311 - any will do
        if port not in taken and is_free(port):
            return port
    raise ConfigError(
        f"no free port between {FIRST} and {LAST} for the private Apache Kafka", try_next="set APP_BROKER__PORT"
    )
