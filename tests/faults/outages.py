"""A broker that is killed and restarted while numbers flow: what was confirmed must be there, once and in order."""

import json
import signal
from dataclasses import dataclass
from pathlib import Path

from tests.brokers import BrokerUnderTest
from tests.faults.lives import Kept, living, on_topic, skipped_or_doubled
from tests.service import free_port, get, wait_until


@dataclass(frozen=True)
class Outcome:
    numbers: int
    repeated: int
    faults: list[str]


def number_through_outages(broker: BrokerUnderTest, folder: Path, *, numbers: int, outages: int, rate: int) -> Outcome:
    """A and B send half of the numbers each, `rate` a second; the broker dies at even steps of their progress."""
    port, each = free_port(), numbers // 2
    environment = {
        "APP_KAFKA__BOOTSTRAP_SERVERS": broker.address,
        "APP_A__INTERVAL": str(1 / rate),
        "APP_B__INTERVAL": str(1 / rate),
        "APP_A__COUNT": str(each),
        "APP_B__COUNT": str(each),
        "APP_ROLES": "a,b,c",
        "APP_HTTP__PORT": str(port),
        "APP_C__SESSION_TIMEOUT_MS": "6000",
    }
    with living(folder, environment) as life:
        for outage in range(1, outages + 1):
            at = each * outage // (outages + 1)
            wait_for_progress(port, at)
            broker.restart()
        wait_until("all are confirmed", lambda: min(confirmed(port).values()) == each, within=180)
        kept, runs = on_topic(broker.address, "numtest1")
        on_it = sum(len(sequence) for sequence in kept.values())
        wait_until("all are printed", lambda: len(life.lines()) >= on_it, within=60)
        status, _ = life.end(signal.SIGTERM)
        lines, log = life.lines(), life.log.read_text()
    faults = skipped_or_doubled(runs, {"A": 0, "B": 1})
    faults += [f"{name}: {len(n)} numbers on the topic, {each} confirmed" for name, n in kept.items() if len(n) != each]
    faults += [f"exit {status}"] if status else []
    faults += ["a traceback in the log"] if "Traceback" in log else []
    # An outage between printing and committing lets C print again: the lines are slices that each go on or go back.
    return Outcome(on_it, len(lines) - on_it, faults + unprinted(lines, kept))


def wait_for_progress(port: int, count: int) -> None:
    wait_until(f"{count} numbers of A are confirmed", lambda: confirmed(port)["A"] >= count, within=180)


def confirmed(port: int) -> dict[str, int]:
    """By the service's own word."""
    try:
        facts = json.loads(get(port, "/statistics")[1])
    except OSError:
        return {"A": 0, "B": 0}
    return {"A": 0, "B": 0} | {each["name"]: int(each["acknowledged"]) for each in facts["producers"]}


def unprinted(lines: list[str], kept: Kept) -> list[str]:
    """Numbers of the topic that C never printed, and lines that are not on it."""
    printed: dict[str, set[int]] = {}
    for line in lines:
        for name, number in json.loads(line).items():
            printed.setdefault(name, set()).add(number)
    faults = []
    for name, numbers in kept.items():
        wanted = set(numbers)
        if missing := wanted - printed.get(name, set()):
            faults.append(f"{name}: {len(missing)} numbers never printed, {min(missing)} first")
        if made_up := printed.get(name, set()) - wanted:
            faults.append(f"{name}: printed {min(made_up)}, which is not on the topic")
    return faults
