"""The topology under the test driver: logs of a run without a broker, to prove that the oracle sees what it should."""

import random
from itertools import islice

from app.streams import Builder, StreamsConfig
from app.streams.testing import Driver
from app.streams.testing.driver import CommitEvery
from tests.faults.exactly_once import topology as of
from tests.faults.exactly_once.inputs import Numbered, Numbering, closing_keys
from tests.faults.exactly_once.logs import Logged, Logs
from tests.faults.exactly_once.oracle import topics_to_read

NAMES = of.Names("rehearsal")
BEGIN = 1_700_000_000_000


def rehearse(seed: int, records: int) -> Logs:
    """Both inputs in bursts, so that neither is ever far behind, nor in step."""
    builder = Builder(StreamsConfig(application_id=NAMES.application))
    of.topology(builder)
    known = topics_to_read(NAMES)
    chance = random.Random(seed)
    numbering = Numbering(seed, rate=300)
    waiting = {side: list(islice(numbering.records(side), records)) for side in of.INPUTS}
    with Driver(builder.build(), partitions=known, commit_every=CommitEvery.EVENT) as driver:
        while any(waiting.values()):
            side = chance.choice([side for side, rows in waiting.items() if rows])
            burst = chance.randint(1, 20)
            for row in waiting[side][:burst]:
                _send(driver, side, row)
            del waiting[side][:burst]
        for number, key in enumerate(closing_keys()):
            last = of.Event(records + number, number, 1)
            _send(driver, of.LEFT, Numbered(number, key, of.event.serializer("")(last), records * 10 + 60_000))
        return Logs(
            {
                (topic, partition): [
                    Logged(offset, key, value, timestamp, headers)
                    for offset, timestamp, key, value, headers in driver.topics.read(topic, partition)
                ]
                for topic, count in known.items()
                for partition in range(count)
            }
        )


def _send(driver: Driver, side: str, row: Numbered) -> None:
    at = BEGIN + row.timestamp
    driver.send(NAMES.topic(side), row.key, row.value, at, row.headers, partition=row.partition)
