"""What a processor may ask of its task."""

from __future__ import annotations

from app.streams import ProcessorContext, Record, Topology
from app.streams.serdes import utf8
from app.streams.testing import CommitEvery, Driver


class Committing:
    """Asks for a commit at each record that says so."""

    def init(self, context: ProcessorContext) -> None:
        self._context = context

    def process(self, record: Record[str, str]) -> None:
        if record.value == "commit":
            self._context.commit()


def test_a_commit_is_a_request_that_the_next_commit_answers() -> None:
    topology = Topology().add_source("in", "in", key=utf8, value=utf8).add_processor("node", Committing, "in")
    with Driver(topology, commit_every=CommitEvery.NEVER) as driver:
        [task] = driver.tasks
        values = driver.input("in", utf8, utf8)
        requested = []
        for value in ("go on", "commit", "go on"):
            values.send("k", value)
            requested.append(task.commit_requested)
        driver.commit()
        assert [*requested, task.commit_requested] == [False, True, True, False]
