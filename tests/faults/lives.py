"""Lives of the service, as processes of their own, and what must hold over all of them."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kafka import KafkaConsumer, TopicPartition

INTERPRETER_STARTS_WITHIN = 0.25

Kept = Mapping[str, Sequence[int]]
"""Producer's name → its numbers in the order of the topic."""


@dataclass
class Life:
    """One process, and every line that it printed."""

    process: subprocess.Popen[bytes]
    output: Path
    log: Path

    def lines(self) -> list[str]:
        """What C has printed so far."""
        return self.output.read_text().splitlines()

    def wait_for_lines(self, count: int, within: float = 60.0) -> None:
        """Until C has printed so many."""
        deadline = time.monotonic() + within
        while len(self.lines()) < count:
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"{len(self.lines())} of {count} lines, then: {self.log.read_text()[-3000:]}")
            time.sleep(0.01)

    def end(self, number: signal.Signals, within: float = 15.0) -> tuple[int, float]:
        """The exit status after the signal, and the seconds that it took."""
        begin = time.monotonic()
        self.process.send_signal(number)
        status = self.process.wait(within)
        return status, time.monotonic() - begin


@contextmanager
def living(directory: Path, environment: Mapping[str, str], *arguments: str, pipe: bool = False) -> Iterator[Life]:
    """A service in a new process; killed at the end if it still runs. With `pipe` its output is the test's to read."""
    directory.mkdir(parents=True, exist_ok=True)
    name = f"{time.time_ns()}"
    output, log = directory / f"{name}.out", directory / f"{name}.log"
    inherited = {key: value for key, value in os.environ.items() if not key.startswith(("APP_", "KAFKA_"))}
    inherited["APP_STREAMS__STATE_DIR"] = str(directory / "state")
    with output.open("wb") as out, log.open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-m", "app", *arguments],
            stdout=subprocess.PIPE if pipe else out,
            stderr=err,
            stdin=subprocess.DEVNULL,
            env={**inherited, "APP_HTTP__PORT": "0", **environment},
            start_new_session=True,
        )
    with process:
        try:
            yield Life(process, output, log)
        finally:
            if process.poll() is None:
                process.kill()


def on_topic(servers: str, topic: str) -> tuple[Kept, dict[str, list[tuple[str, int]]]]:
    """Per producer: its numbers in topic order, and the same with the run each belongs to."""
    consumer = KafkaConsumer(bootstrap_servers=servers, auto_offset_reset="earliest", consumer_timeout_ms=10_000)
    partitions = [TopicPartition(topic, number) for number in consumer.partitions_for_topic(topic) or ()]
    consumer.assign(partitions)
    ends = consumer.end_offsets(partitions)
    numbers: dict[str, list[int]] = defaultdict(list)
    runs: dict[str, list[tuple[str, int]]] = defaultdict(list)
    while any(consumer.position(partition) < ends[partition] for partition in partitions):
        for records in consumer.poll(1_000).values():
            for record in records:
                run = dict(record.headers)["run-id"].decode()
                for name, number in json.loads(record.value).items():
                    numbers[name].append(number)
                    runs[name].append((run, number))
    consumer.close()
    return numbers, runs


def skipped_or_doubled(runs: Mapping[str, Sequence[tuple[str, int]]], first: Mapping[str, int]) -> list[str]:
    """Each run of each producer must be first, first + 2, first + 4 … in topic order, whatever end it came to."""
    faults = []
    for name, numbered in runs.items():
        by_run: dict[str, list[int]] = defaultdict(list)
        for run, number in numbered:
            by_run[run].append(number)
        for run, numbers in by_run.items():
            expected = list(range(first[name], first[name] + 2 * len(numbers), 2))
            if numbers != expected:
                at = next(i for i, (got, due) in enumerate(zip(numbers, expected, strict=True)) if got != due)
                faults.append(f"{name} in run {run}: {numbers[at]} where {expected[at]} is due")
    return faults


@dataclass
class Printed:
    """What C has printed over its lives: each goes on where its predecessor stopped, or before it."""

    end: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    repeated: int = 0

    def add(self, lines: Sequence[str], kept: Kept, *, may_repeat: bool) -> list[str]:
        """Takes one life's lines; returns what was skipped, made up or needlessly repeated."""
        faults = []
        by_name: dict[str, list[int]] = defaultdict(list)
        for line in lines:
            for name, number in json.loads(line).items():
                by_name[name].append(number)
        for name, numbers in by_name.items():
            sequence, end = kept[name], self.end[name]
            starts = range(end, -1, -1) if may_repeat else (end,)
            start = next((at for at in starts if list(sequence[at : at + len(numbers)]) == numbers), None)
            if start is None:
                faults.append(f"C printed {name} {numbers[:3]}…, which does not go on from {sequence[end : end + 3]}")
                continue
            self.repeated += end - start
            self.end[name] = max(end, start + len(numbers))
        return faults


def processes_of(marker: str) -> list[str]:
    """Command lines of the running processes that name `marker`, as `ps` tells them."""
    listing = subprocess.run(["ps", "-axww", "-o", "pid=,command="], capture_output=True, text=True, check=True).stdout
    return [
        line.strip() for line in listing.splitlines() if marker in line and not re.match(rf"\s*{os.getpid()}\b", line)
    ]


@dataclass(frozen=True)
class Schedule:
    """Which ends the lives come to, and when: replayed by its seed."""

    terms: int
    kills: int
    seed: int

    def ends(self) -> list[tuple[signal.Signals, int, float]]:
        """Signal, the lines to wait for before it, and the seconds after those. A quarter of the lives end at start."""
        chance = random.Random(self.seed)
        signals = [signal.SIGTERM] * self.terms + [signal.SIGKILL] * self.kills
        chance.shuffle(signals)
        return [
            (each, 0, chance.uniform(0.0, 2.0)) if chance.random() < 0.25 else (each, 1, chance.uniform(0.0, 1.0))
            for each in signals
        ]


@dataclass
class Report:
    lives: int = 0
    faults: list[str] = field(default_factory=list)
    slowest_term: float = 0.0
    repeated: int = 0
    printed: int = 0


def live_through(
    schedule: Schedule, directory: Path, environment: Mapping[str, str], servers: str, topic: str
) -> Report:
    """One life after another, then the check of everything that they wrote and printed."""
    report = Report()
    said: list[tuple[list[str], bool]] = []
    killed_before = False
    ends = schedule.ends()
    for number, (end, lines_before, seconds) in enumerate(ends):
        with living(directory, environment) as life:
            life.wait_for_lines(lines_before)
            time.sleep(seconds)
            young = not lines_before and not life.log.stat().st_size
            try:
                status, took = life.end(end)
            except subprocess.TimeoutExpired as late:
                # The block's end kills it; what it wrote is judged like that of any other life that was killed.
                report.faults.append(f"life {number}: still there {late.timeout} s after {end.name}: {life.log}")
                end = signal.SIGKILL
            if end is signal.SIGTERM:
                report.slowest_term = max(report.slowest_term, took)
                # Before Python has come to our first line, a signal has its default effect.
                if status != 0 and not (young and seconds < INTERPRETER_STARTS_WITHIN and status == -signal.SIGTERM):
                    report.faults.append(f"life {number}: exit {status} after SIGTERM at {seconds:.2f} s: {life.log}")
        said.append((life.lines(), killed_before))
        killed_before = end is signal.SIGKILL or (killed_before and not life.lines())
        report.lives += 1
        print(
            f"life {number + 1} of {len(ends)}: {end.name} after {seconds:.2f} s, {len(said[-1][0])} lines",
            file=sys.stderr,
        )
    with living(directory, environment) as life:  # the last one prints what is left
        kept, _ = on_topic(servers, topic)
        report.lives += 1
        deadline = time.monotonic() + 60
        printed = Printed()
        for lines, may_repeat in said:
            report.faults += printed.add(lines, kept, may_repeat=may_repeat)
        left = sum(len(numbers) for numbers in kept.values()) - sum(printed.end.values())
        while len(life.lines()) < left and time.monotonic() < deadline:
            time.sleep(0.05)
        life.end(signal.SIGTERM)
        said.append((life.lines(), killed_before))
    kept, runs = on_topic(servers, topic)
    report.faults += printed.add(said[-1][0], kept, may_repeat=killed_before)
    report.faults += skipped_or_doubled(runs, {"A": 0, "B": 1})
    report.faults += [
        f"{name}: {len(n) - printed.end[name]} numbers never printed"
        for name, n in kept.items()
        if printed.end[name] != len(n)
    ]
    report.repeated, report.printed = printed.repeated, sum(printed.end.values())
    return report
