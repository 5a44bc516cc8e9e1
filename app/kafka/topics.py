"""The topics that the roles use: made if they are missing, taken as they are if they are there."""

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from app.errors import BrokerUnavailable, NoPermission
from app.kafka.admin import Admin, NewTopic, open_admin
from app.kafka.clients import target
from app.kafka.cluster import Cluster, TopicState, missing
from app.kafka.permissions import TopicNeed, grant, topic_needs, word
from app.kafka.requests import Code, code_name
from app.settings.model import KafkaSettings, SettingsTree

log = logging.getLogger(__name__)

DEAD_LETTER_ROOM = 64 * 1024
"""Bytes by which a dead letter may exceed the largest record of its source: headers that say why and where from."""
DEFAULT_MAX_MESSAGE_BYTES = 1_048_588
VISIBLE_WITHIN_S = 5.0
LARGEST = "max.message.bytes"


@dataclass(frozen=True, slots=True)
class TopicReport:
    name: str
    partitions: int
    created: bool
    remark: str
    """What differs from the settings, in words; empty: nothing."""


async def ensure_topics(
    settings: SettingsTree, servers: Sequence[str], token_file: Path | None = None
) -> tuple[TopicReport, ...]:
    """Raises BrokerUnavailable (try again), NoPermission (with the command that grants it) or ConfigError."""
    needs = topic_needs(settings)
    if not needs:
        return ()
    async with open_admin(target(settings.kafka, tuple(servers), token_file)) as admin:
        cluster = await admin.describe([need.name for need in needs])
        reports = [await _ensure(admin, cluster, need, settings) for need in needs]
    for report in reports:
        if report.created:
            log.info("created topic %s with %d partitions", report.name, report.partitions)
        if report.remark:
            log.info("topic %s: %s", report.name, report.remark)
    return tuple(reports)


async def _ensure(admin: Admin, cluster: Cluster, need: TopicNeed, settings: SettingsTree) -> TopicReport:
    state = cluster.topics.get(need.name)
    dead_letters = need.name == settings.dead_letter_topic
    if state is None or missing(state):
        largest = await _room(admin, settings.kafka.topic) if dead_letters else None
        new = new_topic(need.name, settings.kafka, largest)
        created = await admin.create_topic(new, cluster)
        state = await _visible(admin, need.name)
        return TopicReport(need.name, state.partitions, created, "" if created else remark(state, settings.kafka))
    _usable(state, need, settings.kafka)
    remarks = [remark(state, settings.kafka)]
    if dead_letters:
        remarks.append(await _too_small(admin, settings))
    return TopicReport(need.name, state.partitions, False, "; ".join(filter(None, remarks)))


def new_topic(name: str, settings: KafkaSettings, largest: int | None) -> NewTopic:
    """`largest`: its max.message.bytes; None: the broker's default. Never compacted, whatever the broker's default: the
    numbers of one producer share a key."""
    configs = {"cleanup.policy": "delete"}
    if largest is not None:
        configs[LARGEST] = str(largest)
    return NewTopic(name, settings.partitions, settings.replication_factor, configs)


async def _room(admin: Admin, source: str) -> int:
    """What the dead letters of a topic need."""
    largest = await _largest(admin, source)
    return min((largest or DEFAULT_MAX_MESSAGE_BYTES) + DEAD_LETTER_ROOM, 2**31 - 1)


async def _largest(admin: Admin, topic: str) -> int | None:
    """max.message.bytes in effect; None where we may not see it."""
    configs = await admin.configs(topic, [LARGEST])
    value = (configs or {}).get(LARGEST, "")
    return int(value) if value.isdigit() else None


async def _too_small(admin: Admin, settings: SettingsTree) -> str:
    source, here = await _largest(admin, settings.kafka.topic), await _largest(admin, settings.dead_letter_topic)
    if source is None or here is None or here >= source + DEAD_LETTER_ROOM:
        return ""
    wanted = source + DEAD_LETTER_ROOM
    return f"its {LARGEST} is {here}; letters of the largest records need {wanted}, or only a digest of them is kept"


def remark(state: TopicState, settings: KafkaSettings) -> str:
    if state.partitions == settings.partitions:
        return ""
    wanted = f"APP_KAFKA__PARTITIONS={settings.partitions} is for new topics"
    partitions = "1 partition" if state.partitions == 1 else f"{state.partitions} partitions"
    return f"has {partitions} and is used as it is; {wanted}"


def _usable(state: TopicState, need: TopicNeed, settings: KafkaSettings) -> None:
    if state.code == Code.TOPIC_AUTHORIZATION_FAILED:
        raise NoPermission(
            f"topic {need.name} is not there or may not be seen",
            try_next=grant(settings, need.operations, f"--topic {need.name}"),
        )
    for operation in need.operations:
        if state.allows(operation) is False:
            raise NoPermission(
                f"no permission to {word(operation)} topic {need.name}",
                try_next=grant(settings, (operation,), f"--topic {need.name}"),
            )
    if state.code not in (Code.NONE, Code.LEADER_NOT_AVAILABLE):
        raise BrokerUnavailable(f"topic {need.name} cannot be used now: {code_name(state.code)}")


async def _visible(admin: Admin, name: str) -> TopicState:
    """A new topic, once every partition has a leader: the brokers hear of it one after the other."""
    until = time.monotonic() + VISIBLE_WITHIN_S
    while True:
        state = (await admin.describe([name])).topics.get(name)
        if state is not None and state.code == Code.NONE and state.leaders and min(state.leaders) >= 0:
            return state
        if time.monotonic() > until:
            raise BrokerUnavailable(f"topic {name} was created and has no leaders yet")
        await asyncio.sleep(0.05)
