"""Questions over HTTP: two real servers over real tasks, each with a part of the partitions, which ask one another."""

from __future__ import annotations

import asyncio
import json
import socket
from contextlib import closing
from typing import Any
from urllib.parse import quote

import httpx
import pytest

from app.streams.model import TaskId
from app.streams.queries import Cursor
from app.web import peers
from app.web.stores import HOP
from app.worker.held import TaskPhase
from tests.web.asking import Pair, ask, pair
from tests.worker.instances import Instance, Other, counting, feed, key_of, part_of


def keys(answer: httpx.Response) -> list[str]:
    return [row["key"] for row in answer.json()["rows"]]


async def pages(pair: Pair, path: str, limit: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    cursor = ""
    for _ in range(100):
        answer = await pair.get(f"{path}&limit={limit}{cursor}")
        assert answer.status_code == 200, answer.text
        told = answer.json()
        assert len(told["rows"]) <= limit
        found += told["rows"]
        if told["cursor"] is None:
            return found
        cursor = f"&cursor={told['cursor']}"
    raise AssertionError("the pages do not end")


class TestKey:
    async def test_from_either_instance(self) -> None:
        async with pair() as both:
            for at in ("one", "two"):
                for partition in range(4):
                    answer = await both.get(f"/stores/counts/{key_of(partition)}", at)
                    told = answer.json()
                    assert answer.status_code == 200
                    assert (told["key"], told["value"]) == (key_of(partition), partition + 1)
                    assert (told["partition"], told["standby"], told["timestamp"]) == (partition, False, 0)
                    assert told["position"][f"in-{partition}"] == 5 * (partition + 1) - 1
                    assert answer.headers["content-security-policy"]

    async def test_what_is_not_committed_is_not_shown(self) -> None:
        async with pair() as both:
            held = both.two.tasks[TaskId(part_of(both.two.topology, "counts"), 2)]
            feed(held, "in", [(key_of(2), 0, 0)], commit=False)
            assert (await both.get(f"/stores/counts/{key_of(2)}")).json()["value"] == 3

    async def test_a_key_that_there_is_not(self) -> None:
        async with pair() as both:
            for partition in (0, 2):
                answer = await both.get(f"/stores/counts/{key_of(partition, 50)}")
                assert answer.status_code == 404
                assert answer.json()["error"] == "there is no such key"
                assert f"partition {partition} of store counts" in answer.json()["why"]

    async def test_windows_and_sessions_by_time(self) -> None:
        async with pair() as both:
            for partition in (0, 2):
                key = key_of(partition, 4)
                told = (await both.get(f"/stores/windows/{key}?from=0&to=5000")).json()
                assert [(row["start"], row["value"]) for row in told["rows"]] == [(0, partition + 1)]
                assert (await both.get(f"/stores/windows/{key}?from=1")).json()["rows"] == []
                told = (await both.get(f"/stores/sessions/{key}?from=4000&to=4000")).json()
                assert [(row["start"], row["end"]) for row in told["rows"]] == [(4000, 4000)]

    async def test_versions(self) -> None:
        one = Instance("one", counting())
        key = key_of(1)
        feed(one.take("facts", 1), "facts", [(key, 1, 10), (key, 2, 20)])
        assert (await ask(one, f"/stores/facts/{key}")).json()["value"] == 2
        assert (await ask(one, f"/stores/facts/{key}?as_of=15")).json()["value"] == 1
        told = (await ask(one, f"/stores/facts/{key}?from=0")).json()
        assert [(row["value"], row.get("valid_to")) for row in told["rows"]] == [(1, 20), (2, None)]

    async def test_a_key_of_any_characters(self) -> None:
        async with pair() as both:
            for key in ("a/b", "ü €", "%2F", "a?b&c=#", " "):
                for instance, partitions in ((both.one, (0, 1)), (both.two, (2, 3))):
                    for partition in partitions:
                        held = instance.tasks[TaskId(part_of(instance.topology, "counts"), partition)]
                        feed(held, "in", [(key, 0, 0)])
                answer = await both.get(f"/stores/counts/{quote(key, safe='')}")
                assert answer.json()["key"] == key


class TestPage:
    async def test_of_this_instance_alone_and_what_is_missing(self) -> None:
        async with pair() as both:
            told = (await both.get("/stores/counts")).json()
            expected = {key_of(partition, nth) for partition in (0, 1) for nth in range(5)}
            assert {row["key"] for row in told["rows"]} == expected
            assert told["complete"] is False
            assert [each["partition"] for each in told["missing"]] == [2, 3]
            assert told["missing"][0]["where"] == both.addresses["two"]

    @pytest.mark.parametrize("limit", [1, 3, 7, 1000])
    async def test_of_all_instances_page_by_page(self, limit: int) -> None:
        async with pair() as both:
            rows = await pages(both, "/stores/counts?all=true", limit)
            assert sorted(row["key"] for row in rows) == sorted(
                key_of(partition, nth) for partition in range(4) for nth in range(5)
            )
            windows = await pages(both, "/stores/windows?all=true&from=0&to=9", limit)
            assert len(windows) == 20

    async def test_complete(self) -> None:
        async with pair() as both:
            told = (await both.get("/stores/counts?all=true")).json()
            assert told["complete"] is True
            assert told["missing"] == []
            assert {f"in-{partition}" for partition in range(4)} <= told["position"].keys()

    async def test_range_and_prefix(self) -> None:
        async with pair() as both:
            every = sorted(key_of(partition, nth) for partition in range(4) for nth in range(5))
            answer = await both.get(f"/stores/counts?all=true&from={every[3]}&to={every[9]}")
            assert sorted(keys(answer)) == every[3:10]
            answer = await both.get(f"/stores/counts?all=true&prefix={every[0][:2]}")
            assert sorted(keys(answer)) == [key for key in every if key.startswith(every[0][:2])]

    async def test_one_partition_of_another_instance(self) -> None:
        async with pair() as both:
            answer = await both.get("/stores/counts?partition=3&limit=2")
            assert keys(answer) == sorted(key_of(3, nth) for nth in range(5))[:2]
            rest = await both.get(f"/stores/counts?partition=3&cursor={answer.json()['cursor']}")
            assert keys(rest) == sorted(key_of(3, nth) for nth in range(5))[2:]

    async def test_none_here(self) -> None:
        async with pair() as both:
            both.one.tasks.clear()
            number = part_of(both.one.topology, "counts")
            whole = tuple(TaskId(number, partition) for partition in range(4))
            both.one.others = {"two": Other("two", both.addresses["two"], whole)}
            answer = await both.get("/stores/counts")
            assert answer.status_code == 421
            assert both.addresses["two"] in answer.json()["where"]
            assert "all=true" in answer.json()["where"]

    async def test_a_dead_instance_is_missing_and_the_rest_is_there(self) -> None:
        async with pair() as both:
            number = part_of(both.one.topology, "counts")
            both.one.others = {"two": Other("two", free_address(), (TaskId(number, 2), TaskId(number, 3)))}
            told = (await both.get("/stores/counts?all=true")).json()
            assert len(told["rows"]) == 10
            assert [each["partition"] for each in told["missing"]] == [2, 3]
            assert "cannot be reached" in told["missing"][0]["why"]


class TestErrors:
    async def test_unknown_store_and_odd_questions(self) -> None:
        one = Instance("one", counting())
        one.take("counts", 0)
        for path, status in (
            ("/stores/nope", 404),
            ("/stores/nope/a", 404),
            ("/stores/counts?limit=0", 400),
            ("/stores/counts?nope=1", 400),
            ("/stores/counts?partition=9", 400),
            ("/stores/counts/a?all=true", 400),
            ("/stores/windows/a?from=noon", 400),
            ("/stores?x=1", 400),
            ("/stores/counts/%ff", 400),
            ("/stores/counts?prefix=%ff", 400),
            ("/stores/counts/a?as_of=1", 400),
            ("/stores/counts/a?from=1", 400),
            ("/stores/windows?as_of=1", 400),
            (f"/stores/counts?cursor={Cursor(4).text()}", 400),
            (f"/stores/counts?partition=0&cursor={Cursor(1, b'a').text()}", 400),
            (f"/stores/counts/{key_of(0)}?cursor={Cursor(1, b'a').text()}", 400),
            ("/stores/world?partition=1", 400),
            (f"/stores/world?cursor={Cursor(1).text()}", 400),
        ):
            answer = await ask(one, path)
            assert answer.status_code == status, path
            assert answer.json().keys() == {"error", "why", "where"}

    async def test_restoring_says_when_to_come_back(self) -> None:
        one = Instance("one", counting())
        one.take("counts", 2, TaskPhase.RESTORING)
        answer = await ask(one, f"/stores/counts/{key_of(2)}")
        assert answer.status_code == 503
        assert answer.headers["retry-after"] == "1"
        assert "app-counts-changelog-2" in answer.json()["why"]
        assert (await ask(one, f"/stores/counts/{key_of(2)}?standby=true")).status_code == 404

    async def test_without_the_streams_role(self) -> None:
        for path, method in (("/stores", "GET"), ("/stores/counts", "GET"), ("/streams/pause", "POST")):
            answer = await ask(None, path, method)
            assert answer.status_code == 503
            assert "APP_ROLES" in answer.json()["where"]

    async def test_an_owner_that_is_gone(self) -> None:
        async with pair() as both:
            number = part_of(both.one.topology, "counts")
            both.one.others = {"two": Other("two", address := free_address(), (TaskId(number, 2),))}
            answer = await both.get(f"/stores/counts/{key_of(2)}")
            assert answer.status_code == 502
            assert answer.json()["where"] == address

    async def test_a_standby_answers_for_an_owner_that_is_gone(self) -> None:
        async with pair() as both:
            task = TaskId(part_of(both.one.topology, "counts"), 2)
            both.one.others = {
                "dead": Other("dead", free_address(), (task,)),
                "two": Other("two", both.addresses["two"], standby=(task,)),
            }
            assert (await both.get(f"/stores/counts/{key_of(2)}")).status_code == 502
            both.two.tasks[task].phase = TaskPhase.STANDBY
            answer = await both.get(f"/stores/counts/{key_of(2)}?standby=true")
            assert (answer.json()["value"], answer.json()["standby"]) == (3, True)

    async def test_an_owner_that_is_slow(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(peers, "ANSWER_WITHIN", 0.05)

        async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.read()  # until the asker gives up
            writer.close()

        async with pair() as both, await asyncio.start_server(wait, "127.0.0.1", 0) as server:
            port = server.sockets[0].getsockname()[1]
            task = TaskId(part_of(both.one.topology, "counts"), 2)
            both.one.others = {"two": Other("two", f"http://127.0.0.1:{port}", (task,))}
            answer = await both.get(f"/stores/counts/{key_of(2)}")
            assert answer.status_code == 504

    @pytest.mark.parametrize(
        "address",
        [
            "https://127.0.0.1:1",
            "http://",
            "file:///etc/passwd",
            "http://user@127.0.0.1:1",
            "http://127.0.0.1:x",
            "127.0.0.1:80",
            f"http://{'x' * 64}:80",
            "http://a..b:80",
            "http://ü:80",
        ],
    )
    async def test_an_address_that_is_none(self, address: str) -> None:
        one = Instance("one", counting())
        one.others = {"two": Other("two", address, (TaskId(part_of(one.topology, "counts"), 2),))}
        answer = await ask(one, f"/stores/counts/{key_of(2)}")
        assert answer.status_code == 502
        assert "is no address" in answer.json()["why"]

    @pytest.mark.parametrize(
        "answer",
        [
            b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello",
            b"nonsense\r\n\r\n",
            b"",
            b"HTTP/1.1 421 X\r\n\r\nnot ours",
        ],
    )
    async def test_an_owner_that_is_something_else(self, answer: bytes) -> None:
        async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            writer.write(answer)
            writer.close()

        one = Instance("one", counting())
        async with await asyncio.start_server(talk, "127.0.0.1", 0) as server:
            address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
            one.others = {"two": Other("two", address, (TaskId(part_of(one.topology, "counts"), 2),))}
            assert (await ask(one, f"/stores/counts/{key_of(2)}")).status_code == 502
            assert (await ask(one, "/stores/counts?all=true")).status_code == 503


class TestOneHop:
    async def test_a_question_is_handed_on_once(self) -> None:
        """Each takes the other for the owner: a rebalance that only one of them has heard of."""
        async with pair() as both:
            task = TaskId(part_of(both.one.topology, "counts"), 2)
            del both.two.tasks[task]
            both.two.others = {"one": Other("one", both.addresses["one"], (task,))}
            answer = await both.get(f"/stores/counts/{key_of(2)}")
            assert answer.status_code == 503
            assert "moving" in answer.json()["why"]
            answer = await both.get(f"/stores/counts/{key_of(2)}", "two", **{HOP: "1"})
            assert answer.status_code == 421

    async def test_the_header_is_for_instances(self) -> None:
        one = Instance("one", counting())
        one.take("counts", 0)
        path = f"/stores/counts/{key_of(0)}"
        for value in ("2", "", "1, 1"):
            assert (await ask(one, path, headers={HOP: value})).status_code == 400
        assert (await ask(one, path, headers=[(HOP, "1"), (HOP, "1")])).status_code == 400
        assert (await ask(one, "/stores/counts?all=true", headers={HOP: "1"})).status_code == 400


async def test_the_list_of_stores() -> None:
    async with pair() as both:
        told = {each["name"]: each for each in (await both.get("/stores")).json()["stores"]}
        assert [each["here"] for each in told["counts"]["partitions"]] == [True, True, False, False]
        assert told["counts"]["partitions"][2]["addresses"] == [both.addresses["two"]]
        assert told["world"]["global"] is True


async def test_many_rows_in_memory_are_put_in_order_between_other_work() -> None:
    one = Instance("one", counting())
    wanted = sorted(f"k{number}" for number in range(20_000))
    one.load_world(dict.fromkeys(wanted, 0))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    counting_turns = asyncio.create_task(count())
    answer = await ask(one, "/stores/world?limit=1000")
    counting_turns.cancel()
    assert keys(answer) == wanted[:1000]
    assert turns > len(wanted) / 1000


async def test_hostile_keys_stay_text() -> None:
    one = Instance("one", counting())
    hostile = "<script>\u2028\x00\x1b[31m"
    for partition in range(4):
        feed(one.take("counts", partition), "in", [(hostile, 0, 0)])
    answer = await ask(one, "/stores/counts")
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert json.loads(answer.content)["rows"][0]["key"] == hostile


def free_address() -> str:
    """Where nobody listens."""
    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"
