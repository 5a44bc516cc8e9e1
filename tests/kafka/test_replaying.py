"""Dead letters on their way back: one replay at a time, what is remembered of it, and what it may not do."""

import asyncio
from pathlib import Path

import pytest

from app.commands import dlq
from app.errors import NoPermission, TryAgain
from app.kafka.clients import target
from app.kafka.letters import DeadLetter
from app.kafka.replaying import Sent, mark, open_replay, parse_sent
from app.kafka.requests import Operation
from app.settings import KafkaSettings
from app.streams.model import TopicPartition
from tests.commands.applications import application
from tests.commands.test_dlq import made, records, run
from tests.kafka.granting import allow, becomes
from tests.kafka.listeners import USERS, Listeners


async def test_a_later_replay_ends_an_earlier_one(kafka: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with application("replayed-twice", kafka, tmp_path, monkeypatch) as app:
        words = await made(app)
        where = target(KafkaSettings(), (app.server,))
        letter = DeadLetter(
            TopicPartition(f"{app.name}.dlq", 0), 0, 1, b"k", b"v", (), {"topic": words, "partition": "0"}
        )
        async with open_replay(where, f"{app.name}.dlq") as earlier:
            await run(app, "replay", topic=f"{app.name}.dlq", execute=True)
            with pytest.raises(TryAgain, match=r"another replay of them has begun, or .*; let that one end"):
                await earlier.send([letter], {letter.place: Sent(1)})
        assert len(await records(app, words)) == 3


async def test_missing_rights_of_a_replay_are_told_with_their_commands(
    listeners: Listeners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, login = listeners.addresses["PLAINTEXT"], listeners.addresses["LOGIN"]
    with application("dlq-rights", plain, tmp_path, monkeypatch) as app:
        words = await made(app)
        for topic in (words, f"{app.name}.dlq"):
            await allow(plain, "alice", Operation.READ, "topic", topic)
        settings = {
            "KAFKA_BOOTSTRAP_SERVERS": login,
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_USERNAME": "alice",
            "KAFKA_SASL_PASSWORD": USERS["alice"],
        }

        async def refusal(*, execute: bool) -> str:
            with pytest.raises(NoPermission) as refused:
                await asyncio.to_thread(
                    lambda: dlq.run(app.loaded(**settings), action="replay", topic=f"{app.name}.dlq", execute=execute)
                )
            return str(refused.value).partition("--allow-principal 'User:alice' ")[2]

        async def becoming(wanted: str, *, execute: bool) -> None:
            assert await becomes(lambda: refusal(execute=execute), wanted) == wanted

        await becoming(f"--operation Describe --group {app.name}.dlq-replay", execute=False)
        await allow(plain, "alice", Operation.READ, "group", f"{app.name}.dlq-replay")
        await becoming(f"--operation Write --topic {words}", execute=False)
        wanted = f"--operation Describe --operation Write --transactional-id {app.name}.dlq-replay"
        await becoming(wanted, execute=True)


@pytest.mark.parametrize(
    ("letters", "below", "text"),
    [
        ([(0, True), (2, True)], 9, ""),
        ([(0, True), (2, False), (4, True), (6, True)], 2, "4-6"),
        ([(0, False), (1, True), (2, False), (3, True)], 0, "1-1,3-3"),
        ([], 9, ""),
    ],
)
def test_what_is_sent_is_an_offset_and_ranges_above_it(letters: list[tuple[int, bool]], below: int, text: str) -> None:
    made = mark(letters, 9)
    assert (made.below, made.text) == (below, text)
    assert parse_sent(below, text) == made
    assert all((offset in made) is sent for offset, sent in letters)


def test_metadata_of_others_says_nothing() -> None:
    assert parse_sent(3, "AgAAAYvP5WgA,7-8") == Sent(3, ((7, 8),))
