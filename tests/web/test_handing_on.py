"""Questions that other instances answer, and what may go wrong on the way."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from app.streams.model import TaskId
from app.worker.held import TaskPhase
from tests.web.asking import ask, pair
from tests.web.test_stores import free_address
from tests.worker.instances import Instance, Other, counting, feed, key_of, part_of


def task_of(instance: Instance, partition: int) -> TaskId:
    return TaskId(part_of(instance.topology, "counts"), partition)


@asynccontextmanager
async def stranger(answer: Any) -> AsyncIterator[str]:
    """Something that answers everything with this JSON."""
    body = json.dumps(answer).encode()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (len(body), body))
        writer.close()

    async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_when_to_ask_again_is_handed_back_too() -> None:
    async with pair() as both:
        both.two.tasks[task_of(both.two, 2)].phase = TaskPhase.RESTORING
        answer = await both.get(f"/stores/counts/{key_of(2)}")
        assert answer.status_code == 503
        assert "app-counts-changelog-2" in answer.json()["why"]
        assert answer.headers["retry-after"] == "1"


async def test_whatever_bytes_an_authorization_has() -> None:
    async with pair() as both:
        address = both.addresses["one"]
        for path in (f"/stores/counts/{key_of(2)}", "/stores/counts?all=true"):
            answer = await both.client.get(address + path, headers={b"authorization": b"Bearer \xe9"})
            assert answer.status_code == 200, answer.text


async def test_a_head_is_handed_on_and_has_no_body() -> None:
    async with pair() as both:
        path = f"/stores/counts/{key_of(2)}"
        answer = await both.client.head(both.addresses["one"] + path)
        assert (answer.status_code, answer.content) == (200, b"")
        assert int(answer.headers["content-length"]) == len((await both.get(path)).content)


async def test_all_of_one_partition_is_a_question_for_its_owner() -> None:
    async with pair() as both:
        answer = await both.get("/stores/counts?all=true&partition=3")
        assert answer.status_code == 200, answer.text
        assert len(answer.json()["rows"]) == 5


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"rows": 5, "position": {}, "cursor": None},
        {"rows": [], "position": [], "cursor": None},
        {"rows": [], "position": {}, "cursor": 7},
        {"rows": [{}] * 1001, "position": {}, "cursor": None},
        [],
    ],
)
async def test_an_answer_that_is_no_page_is_missing_and_the_rest_is_there(answer: Any) -> None:
    async with pair() as both, stranger(answer) as address:
        both.one.others = {"two": Other("two", address, (task_of(both.one, 2), task_of(both.one, 3)))}
        told = (await both.get("/stores/counts?all=true&limit=1000")).json()
        assert len(told["rows"]) == 10
        assert [each["partition"] for each in told["missing"]] == [2, 3]
        assert told["missing"][0]["why"] == "it answered 200"


async def test_none_of_the_owners_answers() -> None:
    one = Instance("one", counting())
    address = free_address()
    one.others = {"two": Other("two", address, tuple(task_of(one, partition) for partition in range(4)))}
    answer = await ask(one, "/stores/counts?all=true")
    assert answer.status_code == 502
    assert answer.json()["where"] == address
    assert "cannot be reached" in answer.json()["why"]


async def test_a_walk_over_what_is_here_ends_with_what_is_missing() -> None:
    """Its last page may be about other instances alone: no reason to refuse it."""
    async with pair() as both:
        first = (await both.get("/stores/counts?limit=10")).json()
        assert len(first["rows"]) == 10
        assert first["cursor"] is not None
        last = await both.get(f"/stores/counts?limit=10&cursor={first['cursor']}")
        assert last.status_code == 200, last.text
        assert (last.json()["rows"], last.json()["cursor"], last.json()["complete"]) == ([], None, False)
        assert [each["partition"] for each in last.json()["missing"]] == [2, 3]


async def test_a_partition_that_leaves_under_way_is_missing() -> None:
    """While others are asked, or rows put in order, the group may change."""
    one = Instance("one", counting())
    feed(one.take("counts", 0), "in", [(key_of(0), 1, 0)])
    feed(one.take("counts", 1), "in", [(key_of(1), 1, 0)])

    async def leave() -> None:
        one.tasks[task_of(one, 1)].phase = TaskPhase.STANDBY

    answer, _ = await asyncio.gather(ask(one, "/stores/counts"), leave())
    told = answer.json()
    assert [row["key"] for row in told["rows"]] == [key_of(0)]
    assert [each["partition"] for each in told["missing"]] == [1, 2, 3]
