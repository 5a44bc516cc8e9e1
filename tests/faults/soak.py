"""Ends the service in a loop, each time in another way, and checks what it wrote and printed: `scripts/soak`.

scripts/soak [--terms 200] [--kills 50] [--seed N]
"""

import argparse
import asyncio
import random
import sys
from pathlib import Path

from app.broker import embedded
from app.loop import run
from app.settings import BrokerSettings
from tests.brokers import BrokerUnderTest
from tests.faults.lives import Schedule, live_through, processes_of, scratch
from tests.faults.outages import number_through_outages

OUTAGE_RATE = 5_000
"""Numbers a second, of each producer, so that every outage falls into the flow."""


async def soak(schedule: Schedule) -> list[str]:
    """Faults found; prints the figures."""
    with scratch() as name:
        directory = Path(name)
        async with embedded(BrokerSettings(data_dir=directory / "broker"), say=lambda line: None) as broker:
            environment = {
                "APP_KAFKA__BOOTSTRAP_SERVERS": broker.address,
                "APP_A__INTERVAL": "0.01",
                "APP_B__INTERVAL": "0.02",
                "APP_C__SESSION_TIMEOUT_MS": "6000",
            }
            lives = directory / "lives"
            report = await asyncio.to_thread(live_through, schedule, lives, environment, broker.address, "numtest1")
        left = processes_of(name)
    print(
        f"{report.lives} lives ({schedule.terms} SIGTERM, {schedule.kills} SIGKILL, seed {schedule.seed}): "
        f"{report.printed} numbers printed, {report.repeated} printed again after a SIGKILL, "
        f"slowest end after SIGTERM {report.slowest_term:.2f} s, {len(left)} processes left behind"
    )
    return report.faults + [f"left behind: {line}" for line in left]


def outages(numbers: int, count: int) -> list[str]:
    """Faults found; prints the figures."""
    with scratch() as name:
        with BrokerUnderTest(Path(name) / "broker") as broker:
            outcome = number_through_outages(
                broker, Path(name) / "life", numbers=numbers, outages=count, rate=OUTAGE_RATE
            )
        left = processes_of(name)
    print(
        f"{outcome.numbers} numbers over {count} kills of the broker: {outcome.repeated} printed again, "
        f"{len(left)} processes left behind"
    )
    return outcome.faults + [f"left behind: {line}" for line in left]


def main() -> int:
    parser = argparse.ArgumentParser(prog="scripts/soak", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--terms", type=int, default=200, help="lives that end with SIGTERM (default: 200)")
    parser.add_argument("--kills", type=int, default=50, help="lives that end with SIGKILL (default: 50)")
    parser.add_argument("--outages", type=int, default=5, help="kills of the broker while numbers flow (default: 5)")
    parser.add_argument("--numbers", type=int, default=100_000, help="numbers that flow meanwhile (default: 100000)")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32), help="replays a run")
    arguments = parser.parse_args()
    faults = []
    if arguments.outages:
        faults += outages(arguments.numbers, arguments.outages)
    if arguments.terms + arguments.kills:
        faults += run(soak(Schedule(arguments.terms, arguments.kills, arguments.seed)))
    for fault in faults:
        print(f"FAULT {fault}")
    print("passed" if not faults else f"failed; replay with --seed {arguments.seed}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
