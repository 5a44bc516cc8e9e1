"""Where others find this instance."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from app.web.advertising import own_address


@contextmanager
def listening(host: str) -> Iterator[tuple[socket.socket, int]]:
    with socket.create_server((host, 0)) as listener:
        yield listener, listener.getsockname()[1]


def test_one_address_is_told_as_it_is() -> None:
    with listening("127.0.0.1") as (listener, port):
        assert own_address(listener, "broker.example:9092") == f"http://127.0.0.1:{port}"


def test_every_address_is_told_as_the_one_that_leads_to_kafka() -> None:
    with listening("0.0.0.0") as (listener, port):  # noqa: S104 - nobody connects
        assert own_address(listener, "127.0.0.2:9092") == f"http://127.0.0.1:{port}"


def test_without_a_way_to_kafka_it_is_this_machine() -> None:
    with listening("0.0.0.0") as (listener, port):  # noqa: S104
        assert own_address(listener, "no.such.host.invalid:9092") == f"http://127.0.0.1:{port}"
        assert own_address(listener, None) == f"http://127.0.0.1:{port}"
