"""Records that cannot be handled: dead letters within the transaction, or the end with one clear line."""

import asyncio
import uuid
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from kafka import KafkaAdminClient

from app.errors import ExitCode
from tests.faults.lives import living
from tests.service import service, wait_until
from tests.tail import Record, tailing
from tests.worker.lived_in import counting, environment
from tests.worker.working import Site

GOOD, NEGATIVE, TOO_LARGE = (number.to_bytes(8, "big", signed=True) for number in (7, -1, 3_000_000))
NO_NUMBER = b"\xff\xfe"


@dataclass(frozen=True)
class Place:
    """Topics of a test's own, with one partition: records are handled in their order."""

    site: Site
    folder: Path

    def send(self, *words: bytes) -> None:
        asyncio.run(self.site.send("in", [(b"k", word) for word in words]))

    def settings(self, topology: str, errors: str) -> dict[str, str]:
        more = {"APP_TOPOLOGY": f"tests.worker.lived_in:{topology}", "APP_STREAMS__ERRORS": errors}
        return environment(self.site.server, self.site.name, self.site.topic("in"), self.folder / "state", **more)

    def offset(self) -> int:
        """Of the input, as it is committed; 0: none is."""
        with closing(KafkaAdminClient(bootstrap_servers=self.site.server)) as admin:
            groups = admin.list_group_offsets(self.site.name)
        offsets = groups.get(self.site.name, groups)
        return max((at.offset for where, at in offsets.items() if where.topic == self.site.topic("in")), default=0)


@pytest.fixture
def place(kafka: str, tmp_path: Path) -> Place:
    name = f"errors-{uuid.uuid4().hex[:8]}"
    site = Site(kafka, tmp_path, lambda builder, here: counting(builder, here.topic("in")), partitions=1, name=name)
    site.create("in")
    return Place(site, tmp_path)


def numbers(records: list[Record]) -> list[int]:
    return [int.from_bytes(record.value, "big") for record in records]


def test_dead_letters_are_kept_and_the_flow_goes_on(place: Place) -> None:
    """Outputs whose topics are not there are made besides."""
    place.send(GOOD, NO_NUMBER, GOOD, NEGATIVE, GOOD, TOO_LARGE, GOOD)
    site = place.site
    settings = place.settings("failing", "dead_letter")
    with (
        tailing(site.server, site.topic("in-out")) as counted,
        tailing(site.server, site.topic("in-grown")) as grown,
        tailing(site.server, f"{site.name}.dlq") as letters,
        service(place.folder, settings) as (life, _),
    ):
        counted.until(lambda records: len(records) >= 6, "every number is counted")
        letters.until(lambda records: len(records) >= 3, "a letter for each")
        grown.until(lambda records: len(records) >= 4, "all that fit")
        wait_until("all are committed", lambda: place.offset() == 7)
        assert len(letters.records) == 3
        assert numbers(counted.records) == [1, 2, 3, 4, 5, 6]
        assert [record.value for record in grown.records] == [b"x" * 7] * 4
        assert [record.value for record in letters.records[:2]] == [NO_NUMBER, NEGATIVE]
        said = [{name: value.decode() for name, value in record.headers} for record in letters.records]
        assert [each.get("__streams.errors.offset") for each in said[:2]] == ["1", "3"]
        assert "a record of 3000" in said[2]["__streams.errors.message"]
        log = life.log.read_text()
    assert "Traceback" not in log
    for offset in (1, 3):
        assert f"{site.topic('in')}-0 offset {offset} could not be handled in" in log


@pytest.mark.parametrize(
    ("word", "node"), [(NO_NUMBER, "numbers"), (NEGATIVE, "grow"), (TOO_LARGE, "")], ids=["bytes", "code", "size"]
)
def test_a_failure_ends_it_with_record_node_and_task_and_commits_nothing(word: bytes, node: str, place: Place) -> None:
    place.send(word)
    site = place.site
    with tailing(site.server, site.topic("in-out")) as counted:
        with living(place.folder, place.settings("failing", "fail")) as life:
            assert life.process.wait(30) == ExitCode.BUG
        log = life.log.read_text()
        *_, last = log.splitlines()
        assert "Traceback" not in log
        assert last.startswith("streams: ")
        if node:
            assert f"record {site.topic('in')}/0@0 could not be" in last
            assert f" in {node} of task 0_0: " in last
        else:
            assert "a record of 3000" in last
            assert f"for topic {site.topic('in-grown')} " in last
        assert "APP_STREAMS__ERRORS=dead_letter" in last
        assert place.offset() == 0
        with service(place.folder, place.settings("failing", "dead_letter")) as (life, _):
            wait_until("the same record again, and on", lambda: place.offset() == 1)
        assert len(counted.records) == 0


def test_a_topic_that_a_record_names_is_found_when_it_is_there_and_an_error_when_not(place: Place) -> None:
    site = place.site
    site.create("early")
    place.send(b"early", b"early")
    with (
        tailing(site.server, site.topic("early")) as early,
        living(place.folder, place.settings("unknown_topic", "fail")) as life,
    ):
        early.until(lambda records: len(records) == 2, "what is for the first one")
        site.create("late")
        with tailing(site.server, site.topic("late")) as late:
            place.send(b"early", b"late", b"early", b"late")
            late.until(lambda records: len(records) == 2, "what is for the second one")
            early.until(lambda records: len(records) == 4, "and the first one")
        wait_until("all is committed", lambda: place.offset() == 6)
        place.send(b"nowhere")
        assert life.process.wait(30) == ExitCode.BUG
        early.more(timeout_ms=300)
        assert len(early.records) == 4, "what was done again was not seen before"
    *_, last = life.log.read_text().splitlines()
    assert f"topic {site.topic('nowhere')} does not exist" in last
    assert "Traceback" not in life.log.read_text()
    assert place.offset() == 6


def test_a_topology_that_reads_a_missing_topic_is_refused_at_the_start(place: Place) -> None:
    with living(place.folder, place.settings("missing_topic", "dead_letter")) as life:
        assert life.process.wait(30) == ExitCode.CONFIG
    log = life.log.read_text()
    assert place.site.topic("in-nowhere") in log
    assert "nowhere" in log.splitlines()[-1]
    assert "Traceback" not in log
