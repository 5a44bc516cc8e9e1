"""Ends the service in a loop, each time in another way, and checks what it wrote and printed: `scripts/soak numbers`.

All of its roles run, the streams role too: after each number the pipeline's total must be there, once and in order.
"""

import argparse
import random
import sys
import time
from pathlib import Path

from tests.brokers import BrokerUnderTest
from tests.faults.evidence import INTERRUPTED, end_as_by_ctrl_c, evidence
from tests.faults.lives import Schedule, live_through, on_topic, processes_of
from tests.faults.outages import number_through_outages
from tests.faults.totals import compare_totals

OUTAGE_RATE = 5_000
"""Numbers a second, of each producer, so that every outage falls into the flow."""


def soak(schedule: Schedule, directory: Path) -> list[str]:
    """Faults found; prints the figures."""
    began = time.monotonic()
    with BrokerUnderTest(directory / "broker") as broker:
        environment = {
            "APP_KAFKA__BOOTSTRAP_SERVERS": broker.address,
            "APP_A__INTERVAL": "0.01",
            "APP_B__INTERVAL": "0.02",
            "APP_C__SESSION_TIMEOUT_MS": "6000",
        }
        lives = directory / "lives"
        report = live_through(schedule, lives, environment, broker.address, "numtest1")
        kept, _ = on_topic(broker.address, "numtest1")
        totals, wrong = compare_totals(lives, environment, broker.address, kept)
    left = processes_of(str(directory))
    print(
        f"{report.lives} lives ({schedule.terms} SIGTERM, {schedule.kills} SIGKILL, seed {schedule.seed}) "
        f"in {time.monotonic() - began:.0f} s: "
        f"{report.printed} numbers printed, {report.repeated} printed again after a SIGKILL, "
        f"{totals} totals of the pipeline compared, "
        f"slowest end after SIGTERM {report.slowest_term:.2f} s, {len(left)} processes left behind",
        flush=True,
    )
    return report.faults + wrong + [f"left behind: {line}" for line in left]


def outages(numbers: int, count: int, directory: Path) -> list[str]:
    """Faults found; prints the figures."""
    with BrokerUnderTest(directory / "broker") as broker:
        outcome = number_through_outages(broker, directory / "life", numbers=numbers, outages=count, rate=OUTAGE_RATE)
    left = processes_of(str(directory))
    print(
        f"{outcome.numbers} numbers over {count} kills of the broker: {outcome.repeated} printed again, "
        f"{len(left)} processes left behind",
        flush=True,
    )
    return outcome.faults + [f"left behind: {line}" for line in left]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak numbers", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--terms", type=int, default=200, help="lives that end with SIGTERM (default: 200)")
    parser.add_argument("--kills", type=int, default=50, help="lives that end with SIGKILL (default: 50)")
    parser.add_argument("--outages", type=int, default=5, help="kills of the broker while numbers flow (default: 5)")
    parser.add_argument("--numbers", type=int, default=100_000, help="numbers that flow meanwhile (default: 100000)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="replays a run")
    parser.add_argument("--keep", type=Path, help="folder for logs and state, which is not removed")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    end_as_by_ctrl_c()
    faults = []
    with evidence(arguments.keep) as kept:
        if arguments.outages:
            faults += outages(arguments.numbers, arguments.outages, kept.folder / "outages")
        if arguments.terms + arguments.kills:
            schedule = Schedule(arguments.terms, arguments.kills, arguments.seed)
            faults += soak(schedule, kept.folder / "ends")
        kept.kept = kept.kept or bool(faults)
    for fault in faults:
        print(f"FAULT {fault}")
    print("passed" if not faults else f"failed; replay with --seed {arguments.seed}")
    return 1 if faults else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        print("interrupted", flush=True)
        sys.exit(INTERRUPTED)
