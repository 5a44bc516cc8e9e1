"""The same command in two terminals: one topology, one state directory, and either answers for both."""

import http.client
import json
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from kafka import KafkaProducer
from prometheus_client.parser import text_string_to_metric_families

from app.pipeline import COUNTS, TOTALS
from tests.faults.lives import Life, living
from tests.service import free_port, get, listens, wait_until
from tests.tail import Record, Tail, tailing
from tests.test_service import environment

SESSION = 6.0
SLACK = 6.0
"""Seconds: a machine that runs other tests at the same time is slower than the promise."""
HANDOVER = 1.0
WINDOW = 10_000
STEP = 900
"""ms of event time between two numbers that the test sends."""
PARTITIONS = 2
TASKS = 3 * PARTITIONS
"""By partition: one by one, by producer, pairs."""
NAMES = ("A", "B")


@dataclass
class Terminal:
    life: Life
    port: int
    reasons: list[str] = field(default_factory=list)
    """Why it was not ready, each once, in the order of their coming."""

    def ready(self) -> bool:
        try:
            status, text = get(self.port, "/readyz?verbose")
        except OSError:
            return False
        for reason in json.loads(text)["reasons"]:
            if not self.reasons or reason != self.reasons[-1]:
                self.reasons.append(reason)
        return status == 200

    def streams(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = json.loads(get(self.port, "/statistics")[1])["streams"][0]
        return found

    def running(self) -> set[str]:
        return {task["task"] for task in self.streams()["tasks"] if task["phase"] == "running"}

    def total(self, name: str) -> tuple[int, int] | None:
        """None: refused for now."""
        status, text = get(self.port, f"/stores/totals/{name}")
        value = json.loads(text)["value"] if status == 200 else None
        return None if value is None else (value["count"], value["sum"])

    def metrics(self) -> dict[str, list[tuple[Mapping[str, str], float]]]:
        found: dict[str, list[tuple[Mapping[str, str], float]]] = {}
        for family in text_string_to_metric_families(get(self.port, "/metrics")[1]):
            for sample in family.samples:
                found.setdefault(sample.name, []).append((sample.labels, sample.value))
        return found

    def post(self, path: str) -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)) as connection:
            connection.request("POST", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()


@dataclass
class Desk:
    """One directory, one environment, as many terminals as wanted."""

    folder: Path
    settings: dict[str, str]
    numbers: Tail
    stack: ExitStack

    def terminal(self, **more: str) -> Terminal:
        port = free_port()
        life = self.stack.enter_context(living(self.folder, {**self.settings, **more, "APP_HTTP__PORT": str(port)}))
        wait_until("it listens", lambda: listens(port))
        return Terminal(life, port)

    def sums(self) -> dict[str, list[int]]:
        """By producer: the sum of its first n numbers, in the order of the topic."""
        self.numbers.more(timeout_ms=50)
        sums: dict[str, list[int]] = {name: [0] for name in NAMES}
        for record in self.numbers.records:
            for name, number in json.loads(record.value).items():
                sums[name].append(sums[name][-1] + number)
        return sums

    def send(self, time_ms: int) -> None:
        """A number of each producer."""
        servers = self.settings["APP_KAFKA__BOOTSTRAP_SERVERS"]
        with closing(KafkaProducer(bootstrap_servers=servers)) as producer:
            for name in NAMES:
                value = b'{"%s": 7}' % name.encode()
                producer.send(self.settings["APP_KAFKA__TOPIC"], value, name.encode(), timestamp_ms=time_ms).get(10)

    def holds(self, terminal: Terminal, name: str) -> tuple[int, int]:
        """What the table says, once it says something; it is exact for some prefix of the topic."""
        wait_until(f"{name} is told", lambda: terminal.total(name) is not None)
        told = terminal.total(name)
        assert told is not None
        wait_until("the numbers are read", lambda: len(self.sums()[name]) > told[0])
        assert told[1] == self.sums()[name][told[0]]
        return told


@contextmanager
def desk(kafka: str, folder: Path) -> Iterator[Desk]:
    settings = environment(
        kafka,
        APP_A__INTERVAL="0.02",
        APP_B__INTERVAL="0.03",
        APP_KAFKA__PARTITIONS=str(PARTITIONS),
        APP_STREAMS__STATE_DIR=str(folder / "state"),
    )
    with ExitStack() as stack:
        numbers = stack.enter_context(tailing(kafka, settings["APP_KAFKA__TOPIC"]))
        yield Desk(folder, settings, numbers, stack)


def all_tasks(terminal: Terminal) -> Callable[[], bool]:
    return lambda: terminal.ready() and len(terminal.running()) == TASKS


def totals(records: list[Record]) -> dict[str, list[tuple[int, int]]]:
    found: dict[str, list[tuple[int, int]]] = {name: [] for name in NAMES}
    for record in records:
        value = json.loads(record.value)
        found[record.key.decode()].append((value["count"], value["sum"]))
    return found


def expected_windows(numbers: list[Record]) -> Counter[str]:
    found: Counter[str] = Counter()
    for record in numbers:
        for name in json.loads(record.value):
            found[f"{name}@{record.timestamp // WINDOW * WINDOW}"] += 1
    return found


def test_tasks_move_over_and_come_back_and_nothing_is_counted_twice(kafka: str, tmp_path: Path) -> None:
    with tailing(kafka, TOTALS) as outputs, tailing(kafka, COUNTS) as windows, desk(kafka, tmp_path) as here:
        first = here.terminal()
        wait_until("the first one has all", all_tasks(first))
        assert any(reason.startswith("streams: ") for reason in first.reasons), first.reasons
        second = here.terminal()
        wait_until(
            "either has its half, ready",
            lambda: second.ready() and first.ready() and len(second.running()) == len(first.running()) == TASKS // 2,
        )
        assert any(reason.startswith("streams: ") for reason in second.reasons), second.reasons
        assert not first.running() & second.running()
        assert {path.name for path in (tmp_path / "state").glob("*/*")} == {"0", "1"}, "a slot each"
        either_answers_for_all(here, first, second)

        killed = time.monotonic()
        second.life.end(signal.SIGKILL)
        wait_until("the first one has all again", all_tasks(first))
        assert time.monotonic() - killed < SESSION + 2 + SLACK
        at_the_end_all_is_exact(here, first, outputs, windows)


def either_answers_for_all(here: Desk, first: Terminal, second: Terminal) -> None:
    """Keys of the other are fetched from it."""
    owners = set()
    for name in NAMES:
        for terminal in (first, second):
            assert here.holds(terminal, name)[0] > 0
        told = [json.loads(get(each.port, f"/stores/totals/{name}")[1]) for each in (first, second)]
        assert told[0]["partition"] == told[1]["partition"]
        owners.add(told[0]["partition"])
    for terminal in (first, second):
        mine = json.loads(get(terminal.port, "/stores/totals")[1])
        everything = json.loads(get(terminal.port, "/stores/totals?all=true")[1])
        assert (len(mine["missing"]), everything["complete"]) == (PARTITIONS // 2, True)
        assert {row["key"] for row in everything["rows"]} == set(NAMES)


def at_the_end_all_is_exact(here: Desk, last: Terminal, outputs: Tail, windows: Tail) -> None:
    """The numbers end, the topology goes on: then every total and every window is what the topic says."""
    assert last.life.end(signal.SIGTERM)[0] == 0
    rest = here.terminal(APP_ROLES="streams")

    def counted() -> bool:
        return all(rest.total(name) == (len(each) - 1, each[-1]) for name, each in here.sums().items())

    wait_until("the rest is counted", counted)
    due = expected_windows(here.numbers.records).keys()
    times = count(max(record.timestamp for record in here.numbers.records), STEP)

    def closed() -> bool:
        # Windows are closed by records, at most once a second, and one that is far ahead lets the store forget them.
        if counted():
            here.send(next(times))
        windows.more(timeout_ms=10)
        return due <= {record.key.decode() for record in windows.records}

    wait_until("every window is told", closed)
    told = [(record.key.decode(), int.from_bytes(record.value, "big")) for record in windows.records]
    assert len(told) == len(dict(told)), "final results come once"
    wait_until("the rest is counted", counted)
    assert dict(told).items() <= expected_windows(here.numbers.records).items()
    sums = here.sums()
    outputs.until(lambda records: len(records) >= sum(len(each) - 1 for each in sums.values()), "every total")
    assert totals(outputs.records) == {name: list(enumerate(each))[1:] for name, each in sums.items()}
    assert rest.life.end(signal.SIGTERM)[0] == 0
    assert not any("Traceback" in log.read_text() for log in here.folder.glob("*.log"))


def test_a_signal_hands_over_at_once_and_a_pause_holds_everything(kafka: str, tmp_path: Path) -> None:
    with desk(kafka, tmp_path) as here:
        first = here.terminal()
        wait_until("the first one has all", all_tasks(first))
        second = here.terminal(APP_ROLES="streams")
        wait_until("the second one has its half", lambda: second.ready() and len(second.running()) == TASKS // 2)
        began = time.monotonic()
        second.life.process.send_signal(signal.SIGTERM)
        wait_until("the first one has all again", all_tasks(first))
        assert time.monotonic() - began < HANDOVER + SLACK / 2, "no session has to end"
        assert second.life.process.wait(10) == 0

        assert first.post("/streams/pause") == (200, '{"paused":true}')
        before = numbers_sent(first)
        wait_until("numbers go on", lambda: numbers_sent(first) > before + 50)
        held = here.holds(first, "A")
        wait_until("numbers go on", lambda: numbers_sent(first) > before + 100)
        assert (here.holds(first, "A"), first.ready()) == (held, True)
        assert first.metrics()["app_streams_paused"] == [({}, 1.0)]
        assert first.post("/streams/resume") == (200, '{"paused":false}')
        wait_until("it goes on", lambda: here.holds(first, "A")[0] > held[0] + 50)
        the_metrics_tell_the_same(first)
        assert first.life.end(signal.SIGTERM)[0] == 0


def numbers_sent(terminal: Terminal) -> int:
    return int(json.loads(get(terminal.port, "/statistics")[1])["producers"][0]["acknowledged"])


def the_metrics_tell_the_same(terminal: Terminal) -> None:
    metrics = terminal.metrics()
    assert metrics["app_streams_paused"] == [({}, 0.0)]
    assert {labels["state"]: value for labels, value in metrics["app_streams_state"]}["RUNNING"] == 1
    assert {labels["phase"]: value for labels, value in metrics["app_streams_tasks"]}["running"] == TASKS
    assert {labels["task"] for labels, _ in metrics["app_streams_task_processed_total"]} == terminal.running()
    assert metrics["app_streams_records_processed_total"][0][1] > 0
    assert metrics["app_streams_commit_latency_seconds_count"][0][1] > 0
