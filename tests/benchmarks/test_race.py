"""What the benchmarks decide without a Kafka: what had to come out, what a run's figures are of, and the turns."""

import os
import subprocess
import sys
from argparse import ArgumentTypeError
from array import array
from pathlib import Path

import pytest

from benchmarks.failover import longest_pause
from benchmarks.race import candidates
from benchmarks.race.candidates import Candidate, NoCandidate
from benchmarks.race.command import Estimate, names_of
from benchmarks.race.load import WINDOW, Load, Results, key_of
from benchmarks.race.outputs import WrongResult, check
from benchmarks.race.progress import Commit, span
from benchmarks.race.run import Sample, at
from benchmarks.race.traffic import Observer, Seen
from benchmarks.streams import SHAPES, rotated

LOAD = Load("input", 7, 1_700_000_003_000, tuple(array("I", range(part, 40_000, 4)) for part in range(4)))


def one_by_one(load: Load, shape: str, end: int) -> Results:
    """What a reader would note who sees each record of every partition up to `end`."""
    found: Results = {}
    for numbers in load.numbers:
        for number in numbers[:end]:
            key = key_of(number, load.keys)
            if shape == "window":
                key += ((load.begin + number) // WINDOW * WINDOW).to_bytes(8, "big")
            if shape == "stateless" and number % 10 == 9:
                continue
            count = found.get(key, (0, 0))[0] + 1
            found[key] = count, number if shape == "stateless" else count
    return found


@pytest.mark.parametrize("shape", SHAPES)
def test_what_must_come_out_is_what_each_record_makes(shape: str) -> None:
    """Keys belong to one partition each, as in a topic."""
    numbers = tuple(array("I", (n for n in range(40_000) if n * 2_654_435_761 % 7 % 4 == part)) for part in range(4))
    load = Load(LOAD.topic, LOAD.keys, LOAD.begin, numbers)
    for end in (0, 1, 1_000, 40_000):
        assert load.expected(shape, dict.fromkeys(range(4), end)) == one_by_one(load, shape, end)


def test_one_output_more_or_less_is_wrong() -> None:
    wanted = {b"a": (3, 3), b"b": (2, 2)}
    check(wanted, wanted, every_update=True)
    check({b"a": (1, 3), b"b": (2, 2)}, wanted, every_update=False)
    for found in ({b"a": (4, 3), b"b": (2, 2)}, {b"a": (3, 3)}, wanted | {b"c": (1, 1)}):
        with pytest.raises(WrongResult, match=r"1 of [23] keys"):
            check(found, wanted, every_update=True)
    with pytest.raises(WrongResult, match="1 of 2 keys"):
        check({b"a": (3, 3), b"b": (2, 1)}, wanted, every_update=False)


def test_measured_is_from_commit_to_commit_behind_the_warm_up() -> None:
    commits = [Commit(second, part, 100 * second) for second in range(1, 8) for part in range(2)]
    measured = span(commits, 300, 6.5, 1_400)
    assert measured is not None
    assert (measured.begin.at, measured.end.at, measured.records, measured.rate) == (2, 6, 800, 200)
    assert span(commits, 1_400, 6.5, 1_400) is None
    assert span(commits, 300, 2.5, 1_400) is None


def test_what_was_spent_is_taken_between_samples() -> None:
    samples = [Sample(10, 1.0, 5.0, 100), Sample(12, 2.0, 7.0, 300), Sample(13, 2.5, 7.5, 200)]
    assert at(samples, 11) == Sample(11, 1.5, 6.0, 300)
    assert at(samples, 12.5) == Sample(12.5, 2.25, 7.25, 200)


def test_candidates_take_turns_at_the_front() -> None:
    racing = [Candidate(name, ()) for name in "abc"]
    orders = ["".join(candidate.name for candidate in rotated(racing, number)) for number in range(4)]
    assert orders == ["abc", "bca", "cab", "abc"]
    assert rotated([], 3) == []


def test_the_pause_is_the_longest_of_any_partition_that_ends_behind_the_kill() -> None:
    observer = Observer()
    rows = [(0, 100), (5_000, 100), (5_100, 100), (5_000, 101), (5_900, 101), (6_000, 101), (6_000, 100)]
    observer.seen = [Seen(at, int(at), part) for at, part in rows]
    assert longest_pause(observer, 5_050) == 900
    assert longest_pause(observer, 4_000) == 5_000


def test_what_is_left_follows_what_was(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    now = 1_000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    estimate = Estimate(4, 30)
    assert capsys.readouterr().out.startswith("4 runs of about 30 s: 2.0 min left, until ")
    now = 1_060.0
    assert estimate.step().startswith("1/4, 3.0 min left")
    now = 1_080.0
    assert estimate.step().startswith("2/4, 1.3 min left")


def test_an_unknown_name_is_refused() -> None:
    known = names_of(("ours", "java"))
    assert known("java,ours") == ("java", "ours")
    with pytest.raises(ArgumentTypeError, match="kafka: not of ours, java"):
        known("java,kafka")


def test_without_a_package_index_quix_is_not_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\n[ "$1" = -c ] && exit 1\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    with pytest.raises(NoCandidate, match=f"{candidates.QUIX} cannot be installed: ERROR: "):
        candidates.quix(tmp_path, "at_least_once")


def test_a_benchmark_that_is_told_to_end_leaves_nothing(tmp_path: Path) -> None:
    """As by `timeout`: what runs in its context ends in order, and its folder goes."""
    program = (
        "import asyncio; from benchmarks.race import command\n"
        "async def work(folder, cores):\n"
        "    try: print('begun', flush=True); await asyncio.sleep(60)\n"
        "    finally: print('ended', flush=True)\n"
        "raise SystemExit(command.run(work))\n"
    )
    environ = {**os.environ, "TMPDIR": str(tmp_path)}
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, env=environ) as process:
        assert process.stdout is not None
        while (line := process.stdout.readline()) != "begun\n":
            assert line
        process.terminate()
        assert process.stdout.read() == "ended\n"
        assert process.wait(30) == 143
    assert not list(tmp_path.glob("bench-*"))


def test_who_asks_for_help_gets_it() -> None:
    for name in ("streams", "failover", "latency", "memory"):
        done = subprocess.run(
            [sys.executable, "-m", f"benchmarks.{name}", "--help"],
            capture_output=True,
            text=True,
            check=True,
            timeout=60,
        )
        assert done.stdout.startswith(f"usage: scripts/bench {name} ")
