"""Records of repartition topics are deleted once they are read and committed: those topics keep nothing for ever."""

import asyncio
import logging
from collections import defaultdict
from collections.abc import Collection, Mapping

from app.errors import ServiceError
from app.kafka.admin import Admin, by_leader, open_admin
from app.kafka.clients import Target
from app.kafka.cluster import Cluster
from app.kafka.requests import Answer, Code, Operation
from app.kafka.topic_requests import DELETE_RECORDS
from app.streams.model import Offset, TopicPartition

log = logging.getLogger(__name__)

EVERY_S = 30.0
"""repartition.purge.interval.ms"""
_DONE = (Code.NONE, Code.OFFSET_OUT_OF_RANGE)
"""The second: the log ends before that, for its topic was made anew."""


class Purger:
    """A failure is told once and never ends anything: what could not be deleted is deleted the next time."""

    def __init__(self, target: Target, topics: Collection[str], *, every_s: float = EVERY_S) -> None:
        """`topics`: the repartition topics, as on the broker."""
        self._target = target
        self._topics = frozenset(topics)
        self._every_s = every_s
        self._committed: dict[TopicPartition, int] = {}
        self._purged: dict[TopicPartition, int] = {}
        self._told = ""

    def note(self, committed: Mapping[TopicPartition, Offset]) -> None:
        """What was just committed; partitions of other topics are not looked at."""
        for partition, offset in committed.items():
            if partition[0] in self._topics:
                self._committed[partition] = offset.offset

    async def run(self) -> None:
        """For ever; cancel it."""
        if not self._topics:
            return
        while True:
            await asyncio.sleep(self._every_s)
            await self.purge()

    async def purge(self) -> None:
        """Deletes now what may be deleted. Raises nothing that a broker can be the cause of."""
        due = {where: offset for where, offset in self._committed.items() if offset > self._purged.get(where, 0)}
        if not due:
            return
        try:
            async with open_admin(self._target) as admin:
                await self._delete(admin, due)
        except ServiceError as error:
            self._tell(str(error))
        else:
            self._told = ""

    async def _delete(self, admin: Admin, due: Mapping[TopicPartition, int]) -> None:
        """All that can be deleted is; then the first failure is raised."""
        cluster = await admin.describe(sorted({topic for topic, _ in due}))
        refused: list[tuple[str, Answer]] = []
        silent: list[ServiceError] = []
        for server, topics in _by_server(cluster, due).items():
            try:
                node = await admin.node(server)
                answer = await admin.ask(node, DELETE_RECORDS, topics, self._target.settings.request_timeout_ms)
            except ServiceError as error:
                silent.append(error)
                continue
            for topic in answer["topics"]:
                for row in topic["partitions"]:
                    where = TopicPartition(topic["name"], row["partition_index"])
                    if row["error_code"] in _DONE:
                        self._purged[where] = due[where]
                    else:
                        refused.append((where.topic, row))
        for name, row in refused:
            remedy = admin.grant(Operation.DELETE, f"--topic {name}")
            admin.check(row, f"records of topic {name} cannot be deleted", remedy)
        if silent:
            raise silent[0]

    def _tell(self, why: str) -> None:
        level = logging.DEBUG if why == self._told else logging.WARNING
        log.log(level, "repartition topics grow until records can be deleted that were processed: %s", why)
        self._told = why


def _by_server(
    cluster: Cluster, due: Mapping[TopicPartition, int]
) -> Mapping[str, list[tuple[str, list[tuple[int, int]]]]]:
    """Rows of DELETE_RECORDS. Partitions without a leader are left out."""
    by_server: dict[str, list[tuple[str, list[tuple[int, int]]]]] = defaultdict(list)
    for state in cluster.topics.values():
        for server, partitions in by_leader(state, cluster):
            rows = [
                (number, due[where]) for number in partitions if (where := TopicPartition(state.name, number)) in due
            ]
            if rows:
                by_server[server].append((state.name, rows))
    return by_server
