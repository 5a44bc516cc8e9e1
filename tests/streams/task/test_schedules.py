"""When a task wants to be called: punctuators of a task that was there before, idle rules."""

from __future__ import annotations

import pytest

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.model import Offset, Record
from app.streams.serdes import utf8
from app.streams.serdes.offset_metadata import encode
from app.streams.task.punctuation import NEVER
from app.streams.topology.processor import ProcessorContext
from app.streams.topology.runtime import Clock
from tests.streams.task.test_task import inbound, merged, new_task, values


@pytest.mark.parametrize(
    ("resumed", "remember", "called"),
    [(None, True, [30, 40]), (30, True, [40]), (30, False, [31, 40]), (5, True, [31, 40])],
)
def test_what_an_earlier_life_was_called_for_is_not_called_again(
    resumed: int | None, remember: bool, called: list[int]
) -> None:
    seen: list[int] = []

    class Ticking:
        def init(self, context: ProcessorContext) -> None:
            context.schedule(20, Clock.STREAM_TIME, seen.append)

        def process(self, record: Record[str, str], /) -> None: ...

    builder = Builder(StreamsConfig(max_task_idle=-1, remember_times=remember))
    builder.stream("in", key=utf8, value=utf8).process(Ticking)
    task = new_task(builder.build(), "in")
    if resumed is not None:
        task.resume_from("in", 0, Offset(0, encode(resumed, {})))
    task.start(0)
    task.enqueue("in", 0, [inbound(at, time) for at, time in enumerate(range(31 if resumed else 30, 45))])
    task.process(0)
    assert seen == called


def test_an_idle_rule_that_has_ended_wakes_nobody_again() -> None:
    task = new_task(merged(max_task_idle=100), "left", "right")
    task.start(0)
    task.enqueue("left", 0, [inbound(0, 5)])
    for topic in ("left", "right"):
        task.note_fetch(topic, 0, 1, 1)
    assert task.process(50) == []
    assert task.wake_at() == 150
    assert values(task.process(150)) == ["0@5"]
    assert task.wake_at() == NEVER, "the task would be asked again and again, with nothing to do"
