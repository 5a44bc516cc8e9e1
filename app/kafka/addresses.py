"""host:port, as brokers name themselves."""

from app.settings.rules import loopback as is_loopback
from app.settings.types import address

__all__ = ["is_loopback", "join_address", "split_address"]


def split_address(server: str) -> tuple[str, int]:
    """Raises ValueError."""
    return address(server)


def join_address(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
