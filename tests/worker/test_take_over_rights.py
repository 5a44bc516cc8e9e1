"""A right that only a take-over needs, and that is missing, ends the service with the command: no attempt mends it."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from aiokafka.errors import KafkaError

from app.errors import NoPermission
from app.kafka.clients import client_options
from app.kafka.requests import Operation
from app.kafka.transactions import TransactionOptions, transactional_producer
from app.settings import KafkaSettings
from app.worker.identity import identified
from app.worker.worker import Worker
from tests.kafka.granting import allow, becomes
from tests.kafka.listeners import USERS, Listeners, started
from tests.worker.lived_in import STORE, counting
from tests.worker.working import PATIENCE, Site, until, working


def test_one_who_may_not_fence_a_predecessor_ends(tmp_path: Path) -> None:
    """Each process was given its own transactional id instead of their prefix."""
    with started(tmp_path) as listeners:
        asyncio.run(taking_over(listeners, tmp_path))


async def taking_over(listeners: Listeners, folder: Path) -> None:
    plain = listeners.addresses["PLAINTEXT"]
    site = Site(plain, folder / "predecessor", lambda builder, here: counting(builder, here.topic("in")))
    site.create("in", "in-out")
    predecessor, home = site.worker(), folder / "alice"
    with identified(home, site.name) as identity:
        transactional_id = identity.transactional_id(site.name)
    login = {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "alice", "sasl_password": USERS["alice"]}
    options = client_options(KafkaSettings.model_validate(login), (listeners.addresses["LOGIN"],))
    successor = Worker(replace(site.worker(home).given, options=options))

    async def may_write() -> bool:
        try:
            async with transactional_producer(options, TransactionOptions(transactional_id)):
                return True
        except KafkaError:
            return False

    async with working(predecessor):
        await until(lambda: predecessor.state == "RUNNING", "it has made the topics")
        for store in (STORE, "windows"):
            for operation in (Operation.READ, Operation.WRITE):
                await allow(plain, "alice", operation, "topic", f"{site.name}-{store}-changelog")
        await allow(plain, "alice", Operation.READ, "topic", site.topic("in"))
        await allow(plain, "alice", Operation.WRITE, "topic", site.topic("in-out"))
        await allow(plain, "alice", Operation.READ, "group", site.name)
        await allow(plain, "alice", Operation.WRITE, "transactional id", transactional_id)
        assert await becomes(may_write, wanted=True)
        succeeding = asyncio.create_task(successor.run(asyncio.Event()))
        await until(lambda: succeeding.done() or successor.state == "RUNNING", "it has its share")
        assert not succeeding.done()
    with pytest.raises(NoPermission, match=r"may not take over tasks of group .*WRITE on transactional ids"):
        async with asyncio.timeout(PATIENCE):
            await succeeding
