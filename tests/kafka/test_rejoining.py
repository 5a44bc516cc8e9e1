"""Wishes for a rebalance, on a loop but without a group."""

import asyncio
from dataclasses import dataclass, field

from app.kafka.rejoining import Rejoining
from tests.kafka.groups import until

PAUSE = 0.02


@dataclass
class Group:
    settled: bool = True
    asked: list[float] = field(default_factory=list)

    def rejoining(self) -> Rejoining:
        return Rejoining(lambda: self.settled, lambda: self.asked.append(asyncio.get_running_loop().time()), PAUSE)


async def test_what_is_wanted_after_the_join_was_sent_is_asked_for_again() -> None:
    group = Group()
    rejoining = group.rejoining()
    rejoining.want()
    await until(lambda: group.asked)
    group.settled = False
    assert rejoining.join() == 1
    rejoining.want()  # between the answers to JoinGroup and to SyncGroup
    await asyncio.sleep(3 * PAUSE)
    assert len(group.asked) == 1
    group.settled = True
    rejoining.joined()
    await until(lambda: len(group.asked) == 2)
    assert rejoining.join() == 2
    rejoining.joined()
    await asyncio.sleep(3 * PAUSE)
    assert len(group.asked) == 2


async def test_what_is_missing_is_asked_for_after_a_pause() -> None:
    group = Group()
    began = asyncio.get_running_loop().time()
    group.rejoining().want_later()
    await until(lambda: group.asked)
    assert group.asked[0] - began > PAUSE / 2


async def test_nothing_is_asked_for_after_the_end() -> None:
    group = Group()
    rejoining = group.rejoining()
    rejoining.want()
    rejoining.close()
    rejoining.want_later()
    await asyncio.sleep(3 * PAUSE)
    assert not group.asked
