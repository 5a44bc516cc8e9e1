import socket
from collections.abc import Iterator

import pytest

from app.broker.ports import FIRST, LAST, is_free, settle
from app.errors import ConfigError


@pytest.fixture
def taken() -> Iterator[int]:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        yield listener.getsockname()[1]


def test_a_port_is_kept_while_it_is_free() -> None:
    ports = settle(("A", "B"), {}, {})
    assert len(set(ports.values())) == 2
    assert all(FIRST <= port <= LAST for port in ports.values())
    assert settle(("A", "B"), ports, {}) == ports


def test_a_remembered_port_that_was_taken_is_replaced(taken: int) -> None:
    assert not is_free(taken)
    assert settle(("A",), {"A": taken}, {})["A"] != taken


def test_a_set_port_is_used_and_kept_from_the_others() -> None:
    port = settle(("A",), {}, {})["A"]
    ports = settle(("B", "A"), {"B": port}, {"A": port})
    assert ports["A"] == port != ports["B"]


def test_a_set_port_that_is_taken_is_named(taken: int) -> None:
    with pytest.raises(ConfigError, match=f"^APP_BROKER__PORT: port {taken} is taken; set another, or 0 for any$"):
        settle(("A",), {}, {"A": taken})


def test_connections_of_the_last_life_do_not_take_the_port() -> None:
    """The side that closes first keeps the port in TIME_WAIT."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            accepted, _ = listener.accept()
            accepted.close()
            assert client.recv(1) == b""
    assert is_free(port)
