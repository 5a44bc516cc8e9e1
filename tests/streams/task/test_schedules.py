"""Punctuators by stream time in a task that was there before."""

from __future__ import annotations

import pytest

from app.streams.config import StreamsConfig
from app.streams.dsl.builder import Builder
from app.streams.model import Offset, Record
from app.streams.serdes import utf8
from app.streams.serdes.offset_metadata import encode
from app.streams.topology.processor import ProcessorContext
from app.streams.topology.runtime import Clock
from tests.streams.task.test_task import inbound, new_task


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
