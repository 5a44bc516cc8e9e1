"""Records that make many rows each: whoever called has a say again before all of them are taken."""

import pytest

from app.streams import Builder, JoinWindows, StreamJoined, StreamsConfig, minutes
from app.streams.serdes import utf8
from app.streams.task import Task
from app.streams.task.intake import MOST_OUTPUTS
from tests.streams.task.test_task import inbound, new_task

EACH = 100


def joining() -> Task:
    """A hundred rows for each record of the right, which come after a hundred of the left."""
    builder = Builder(StreamsConfig(max_task_idle=-1))
    left, right = (builder.stream(topic, key=utf8, value=utf8) for topic in ("left", "right"))
    window, serdes = JoinWindows.within(minutes(1)), StreamJoined(utf8, utf8, utf8)
    left.join(right, lambda one, _other: one, window, serdes).to("out", key=utf8, value=utf8)
    task = new_task(builder.build(), "left", "right")
    task.start(0)
    task.enqueue("left", 0, [inbound(offset, 0) for offset in range(EACH)])
    task.enqueue("right", 0, [inbound(offset, 1) for offset in range(EACH)])
    return task


def spreading() -> Task:
    builder = Builder(StreamsConfig(max_task_idle=-1))
    source = builder.stream("in", key=utf8, value=utf8)
    source.flat_map_values(lambda _key, value: [value] * EACH).to("out", key=utf8, value=utf8)
    task = new_task(builder.build(), "in")
    task.start(0)
    task.enqueue("in", 0, [inbound(offset, 0) for offset in range(EACH)] * 3)
    return task


@pytest.mark.parametrize(("task", "total"), [(joining(), EACH * EACH), (spreading(), 3 * EACH * EACH)])
def test_no_record_is_taken_behind_many_rows(task: Task, total: int) -> None:
    first = task.process(0)
    assert MOST_OUTPUTS <= len(first) < MOST_OUTPUTS + EACH
    rows = len(first)
    while made := task.process(0):
        rows += len(made)
    assert rows == total
