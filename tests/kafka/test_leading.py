"""The leader's decision, without a broker."""

from dataclasses import replace

import msgspec
import pytest
from aiokafka.coordinator.protocol import ConsumerProtocolMemberMetadata
from hypothesis import given
from hypothesis import strategies as st

from app.kafka.assignor import Hooks, StreamsAssignor
from app.kafka.leading import MOST_DEAD, Joined, Rules, TopicsMissing, dead_ids, decide
from app.kafka.user_data import VERSION, Subscription, Unreadable, encode, read_assignment
from app.streams import Builder, Materialized, StreamsConfig, Topology
from app.streams.errors import TopologyError
from app.streams.serdes import utf8
from app.streams.topology.tasks import topology_digest


def counting() -> Topology:
    builder = Builder(StreamsConfig(application_id="app"))
    builder.stream("in", key=utf8, value=utf8).group_by(
        lambda _key, value: value, name="by", key=utf8, value=utf8
    ).count(Materialized("c"))
    builder.global_table("everywhere", key=utf8, value=utf8)
    return builder.build()


TOPOLOGY = counting()
RULES = Rules(TOPOLOGY, found={"app-c-changelog": 4})
TOPICS = {"in": 4, "app-by-repartition": 4}


def said(process: str, **fields: object) -> Subscription:
    plain = Subscription(
        v=VERSION, process=process, transactional_id=f"id-{process}", address=None, digest=topology_digest(TOPOLOGY)
    )
    return msgspec.structs.replace(plain, **fields)


def joined(*subscriptions: Subscription | Unreadable) -> dict[str, Joined]:
    return {f"member-{number}": Joined(frozenset(TOPICS), each) for number, each in enumerate(subscriptions)}


def test_every_partition_goes_to_one_member_with_its_task() -> None:
    told = decide(RULES, joined(said("a"), said("b")), TOPICS)
    given_out = sorted(partition for each in told.values() for partition in each.partitions)
    assert given_out == sorted((topic, number) for topic in TOPICS for number in range(4))
    for each in told.values():
        assert sorted(each.data.active) == sorted(
            f"{0 if topic == 'in' else 1}_{number}" for topic, number in each.partitions
        )
        assert each.data.counts == TOPICS
        assert [peer.process for peer in each.data.peers] == ["a", "b"]


def test_members_are_known_by_their_process_whatever_the_broker_calls_them() -> None:
    first = decide(RULES, joined(said("a"), said("b")), TOPICS)
    second = decide(RULES, joined(said("b"), said("a")), TOPICS)
    assert {each.data.process: each.data.active for each in first.values()} == {
        each.data.process: each.data.active for each in second.values()
    }


def test_a_process_that_is_there_twice_gets_its_tasks_once() -> None:
    told = decide(RULES, joined(said("a"), said("a")), TOPICS)
    assert sorted(task for each in told.values() for task in each.data.active) == sorted(
        f"{part}_{number}" for part in range(2) for number in range(4)
    )


def test_a_topic_that_a_member_does_not_take_is_missing() -> None:
    members = joined(said("a"), said("b"))
    members["member-1"] = replace(members["member-1"], topics=frozenset({"in"}))
    with pytest.raises(TopicsMissing, match="app-by-repartition"):
        decide(RULES, members, TOPICS)


def test_internal_topics_that_no_longer_fit_are_all_named() -> None:
    with pytest.raises(TopologyError) as refused:
        decide(RULES, joined(said("a")), {**TOPICS, "in": 6})
    assert [fault.split(":")[0] for fault in refused.value.faults] == [
        "app-by-repartition has 4 partitions and should have 6",
        "app-c-changelog has 4 partitions and should have 6",
    ]


def test_of_two_topologies_the_leaders_runs() -> None:
    told = decide(RULES, joined(said("a"), said("b", digest="other")), TOPICS)
    assert "another topology" in told["member-1"].data.wait
    assert told["member-1"].partitions == ()
    assert len(told["member-0"].partitions) == 8
    assert [peer.process for peer in told["member-0"].data.peers] == ["a"]


def test_those_who_wait_are_not_dead() -> None:
    told = decide(RULES, joined(said("a", known=("id-b", "id-c")), said("b", digest="other")), TOPICS)
    assert told["member-0"].data.dead == ("id-c",)


IDS = st.lists(st.sampled_from([f"id-{number}" for number in range(8)]), max_size=6).map(tuple)


@given(st.lists(st.tuples(IDS, IDS), min_size=1, max_size=4), IDS)
def test_the_dead_are_known_unclaimed_and_unfenced(
    members: list[tuple[tuple[str, ...], tuple[str, ...]]], alive: tuple[str, ...]
) -> None:
    subscriptions = [said(f"p{n}", known=known, fenced=fenced) for n, (known, fenced) in enumerate(members)]
    dead = dead_ids(subscriptions, alive)
    known = {name for each in subscriptions for name in each.known}
    fenced = {name for each in subscriptions for name in each.fenced}
    assert set(dead) == known - fenced - set(alive)
    assert len(dead) == len(set(dead))


def test_of_too_many_dead_the_latest_are_told() -> None:
    known = tuple(f"id-{number}" for number in range(MOST_DEAD + 10))
    assert dead_ids([said("a", known=known)], []) == known[:MOST_DEAD]


class Cluster:
    """The far side's metadata."""

    def __init__(self, counts: dict[str, int]) -> None:
        self.counts = counts

    def partitions_for_topic(self, topic: str) -> set[int] | None:
        return set(range(self.counts[topic])) if topic in self.counts else None


def assign(counts: dict[str, int], rules: Rules = RULES, missing_within: float = 0.0) -> list[str]:
    """What each of two members is told is wrong, the assignor having gone through all it does for a leader."""
    led: list[tuple[tuple[str, ...], tuple[str, ...]]] = []
    assignor = StreamsAssignor(
        rules,
        Hooks(lambda: said("a"), lambda *_: None, lambda *seen: led.append(seen)),
        missing_within=missing_within,
    )
    members = {
        f"member-{n}": ConsumerProtocolMemberMetadata(0, sorted(TOPICS), encode(said(name)))
        for n, name in enumerate("ab")
    }
    told = assignor.assign(Cluster(counts), members)
    assert set(told) == set(members)
    assert led[0][0] == ("id-a", "id-b")
    assert led[0][1] == tuple(sorted(TOPICS.keys() - counts.keys()))
    read = [read_assignment(each.user_data) for each in told.values()]
    return [each.error or each.wait for each in read]


def test_nothing_is_wrong() -> None:
    assert assign(TOPICS) == ["", ""]


def test_missing_topics_are_waited_for_then_told_to_all() -> None:
    assert assign({"in": 4}, missing_within=60) == ["app-by-repartition does not exist, or not yet"] * 2
    assert assign({}) == ["app-by-repartition, in do not exist, and the topology reads them"] * 2


def test_a_fault_of_the_leader_is_told_and_does_not_end_its_coordination(caplog: pytest.LogCaptureFixture) -> None:
    told = assign(TOPICS, replace(RULES, standbys="many"))  # type: ignore[arg-type]
    assert all("its leader could not make a plan: TypeError" in each for each in told)
    assert "planning for the group" in caplog.text
