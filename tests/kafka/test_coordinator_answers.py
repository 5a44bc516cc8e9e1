"""Questions to coordinators that answer as brokers do once a year: refused for good, refused for now, answered late."""

from typing import Any, cast

import pytest
from aiokafka.client import AIOKafkaClient, CoordinationType
from aiokafka.coordinator.protocol import ConsumerProtocol, ConsumerProtocolMemberMetadata
from aiokafka.errors import GroupAuthorizationFailedError, TopicAuthorizationFailedError
from aiokafka.protocol.admin import DescribeGroupsResponse_v0
from aiokafka.protocol.commit import OffsetCommitResponse_v2
from aiokafka.protocol.group import LeaveGroupResponse_v0
from aiokafka.protocol.transaction import InitProducerIdResponse_v0

from app.kafka.assignor import PROTOCOL
from app.kafka.fencing import fence
from app.kafka.group_metadata import GroupMetadata
from app.kafka.offset_commits import commit_offsets
from app.kafka.predecessors import remove_predecessors
from app.kafka.stable_offsets import stable_offsets
from app.kafka.transactional_requests import OffsetFetchResponse_v7
from app.kafka.user_data import Subscription, encode
from app.streams.model import Offset, TopicPartition

LOADING, CONCURRENT, UNKNOWN_MEMBER, UNSTABLE, TOPIC_REFUSED, GROUP_REFUSED = 14, 51, 25, 88, 29, 30
A, B = TopicPartition("t", 0), TopicPartition("t", 1)
GROUP = GroupMetadata("group", 3, "member", None)


class Coordinator:
    """Gives these answers in turn, the last one for ever."""

    def __init__(self, *answers: Any) -> None:
        self.asked: list[Any] = []
        self._answers = list(answers)

    @property
    def client(self) -> AIOKafkaClient:
        return cast("AIOKafkaClient", self)

    async def coordinator_lookup(self, kind: CoordinationType, name: str) -> int:
        return 1

    async def send(self, node: int, request: Any, **_connection: Any) -> Any:
        self.asked.append(request)
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def committed(*codes: int) -> OffsetCommitResponse_v2:
    return OffsetCommitResponse_v2([("t", list(enumerate(codes)))])


def stable(*codes: int) -> OffsetFetchResponse_v7:
    return OffsetFetchResponse_v7(0, [("t", [(at, 5, -1, "", code, {}) for at, code in enumerate(codes)], {})], 0, {})


@pytest.mark.parametrize("codes", [(LOADING, TOPIC_REFUSED), (TOPIC_REFUSED, LOADING)])
async def test_what_lasts_is_told_before_what_passes(codes: tuple[int, int]) -> None:
    with pytest.raises(TopicAuthorizationFailedError):
        await commit_offsets(
            Coordinator(committed(*codes)).client, GROUP, {A: Offset(1, ""), B: Offset(1, "")}, within=0.5
        )
    with pytest.raises(TopicAuthorizationFailedError):
        await stable_offsets(Coordinator(stable(*codes)).client, "group", [A, B], within=0.5)


async def test_what_passes_is_asked_again() -> None:
    loading = Coordinator(committed(0, LOADING), committed(0, 0))
    await commit_offsets(loading.client, GROUP, {A: Offset(1, ""), B: Offset(1, "")}, within=5)
    unstable = Coordinator(stable(0, UNSTABLE), stable(0, UNSTABLE), stable(0, 0))
    assert set(await stable_offsets(unstable.client, "group", [A, B], within=5)) == {A, B}
    assert (len(loading.asked), len(unstable.asked)) == (2, 3)


async def test_an_id_is_fenced_when_its_transaction_has_ended() -> None:
    ending = Coordinator(InitProducerIdResponse_v0(0, CONCURRENT, -1, -1), InitProducerIdResponse_v0(0, 0, 7, 2))
    await fence(ending.client, "dead", timeout_ms=1_000, within=5)
    assert len(ending.asked) == 2
    with pytest.raises(GroupAuthorizationFailedError):
        await fence(
            Coordinator(InitProducerIdResponse_v0(0, GROUP_REFUSED, -1, -1)).client,
            "dead",
            timeout_ms=1_000,
            within=5,
        )


async def test_of_all_members_those_of_this_process_are_removed_gone_or_not() -> None:
    members = [(name, "client", "host", told, b"") for name, told in (
        ("before", said("me")), ("gone", said("me")), ("other", said("you")), ("odd", b"\0\0"),
    )]  # fmt: skip
    group = Coordinator(
        DescribeGroupsResponse_v0([(0, "group", "Stable", "consumer", PROTOCOL, members)]),
        LeaveGroupResponse_v0(0),
        LeaveGroupResponse_v0(UNKNOWN_MEMBER),
    )
    assert await remove_predecessors(group.client, "group", "me", within=5) == 2
    assert [vars(request)["_member_id"] for request in group.asked[1:]] == ["before", "gone"]


def said(process: str) -> bytes:
    told = encode(Subscription(v=1, process=process, transactional_id=None, address=None, digest=""))
    metadata: bytes = ConsumerProtocolMemberMetadata(0, ["t"], told).encode()
    assert ConsumerProtocol.METADATA.decode(metadata).user_data == told
    return metadata
