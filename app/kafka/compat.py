"""Every private attribute of aiokafka that is touched, checked when imported against the pinned version."""

import asyncio
from typing import Any

import aiokafka
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.consumer.fetcher import Fetcher
from aiokafka.consumer.group_coordinator import GroupCoordinator
from aiokafka.producer.sender import Sender

SUPPORTED = "0.14."

if not aiokafka.__version__.startswith(SUPPORTED):
    raise ImportError(f"aiokafka {aiokafka.__version__} is not {SUPPORTED}*: its private parts were not looked at")


def _requires(owner: type, *names: str) -> None:
    known = {*vars(owner), *vars(owner)["__init__"].__code__.co_names}
    if missing := [name for name in names if name not in known]:
        raise ImportError(f"aiokafka {aiokafka.__version__}: {owner.__name__} has no {', '.join(missing)}")


_requires(Fetcher, "_fetch_task")
_requires(GroupCoordinator, "_coordination_task")
_requires(Sender, "sender_task")
_requires(AIOKafkaConsumer, "_fetcher", "_coordinator")
_requires(AIOKafkaProducer, "_sender")


def dead_tasks(client: AIOKafkaConsumer | AIOKafkaProducer) -> list[str]:
    """Background tasks of a started client that have ended: from then on it waits for ever and says nothing."""
    owned: dict[str, Any] = {}
    if isinstance(client, AIOKafkaConsumer):
        owned["fetcher"] = getattr(client._fetcher, "_fetch_task", None)
        owned["coordinator"] = getattr(client._coordinator, "_coordination_task", None)
    else:
        owned["sender"] = getattr(client._sender, "sender_task", None)
    return [name for name, task in owned.items() if isinstance(task, asyncio.Task) and task.done()]
