"""Count the clicks on each page in each minute, and say only the final number.

Run it: `python -m examples.clicks_per_minute`.
"""

from app.streams import Builder, Emit, Materialized, Topology, Tumbling, minutes, seconds
from app.streams.serdes import int64, utf8, windowed
from app.streams.testing import Driver


def clicks_per_minute() -> Topology:
    builder = Builder()
    (
        builder.stream("clicks", key=utf8, value=utf8)
        .group_by_key()
        .windowed_by(Tumbling(minutes(1), grace=seconds(10)), emit=Emit.ON_CLOSE)
        .count(Materialized("clicks-per-minute"))
        .to_stream()
        .to("clicks-per-minute")
    )
    return builder.build()


def main() -> None:
    with Driver(clicks_per_minute()) as driver:
        clicks = driver.input("clicks", utf8, utf8)
        clicks.send("/home", "ann", at=seconds(5))
        clicks.send("/home", "bob", at=seconds(62))
        clicks.send("/home", "cid", at=seconds(59))  # late, but within the grace
        clicks.send("/home", "dan", at=seconds(70))  # closes the first minute
        clicks.send("/home", "eve", at=seconds(8))  # too late: dropped
        clicks.send("/about", "fay", at=seconds(130))  # closes the second one
        counts = driver.output("clicks-per-minute", windowed(utf8, minutes(1)), int64)
        for page, count in counts.read_pairs():
            print(page, count)


if __name__ == "__main__":
    main()
