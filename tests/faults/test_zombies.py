"""What kill -9 alone never shows: whether the dead that are not dead are kept out."""

import asyncio
from pathlib import Path

from app.kafka.failpoints import Step
from tests.faults.zombies import Trial, zombie_trial


async def test_zombies_double_nothing_and_lose_nothing(kafka: str, tmp_path: Path) -> None:
    """Stopped with offsets unsent, with offsets held and a successor that fences, and with one that waits for them."""
    async with asyncio.TaskGroup() as trials:
        unsent = trials.create_task(zombie_trial(kafka, tmp_path / "unsent", Step.CONFIRMED, fences=False))
        fenced = trials.create_task(zombie_trial(kafka, tmp_path / "fenced", Step.OFFSETS_HELD, fences=True))
        waited = trials.create_task(zombie_trial(kafka, tmp_path / "waited", Step.OFFSETS_HELD, fences=False))
    assert unsent.result() == Trial("UnknownMemberIdError", doubled=0, missing=0)
    assert fenced.result() == Trial("ProducerFenced", doubled=0, missing=0)
    assert waited.result() == Trial("committed", doubled=0, missing=0)
