"""Join each advertisement shown with the click that follows within five minutes, or with none.

Run it: `python -m examples.ad_outcomes`.
"""

from app.streams import Builder, JoinWindows, StreamJoined, Topology, minutes
from app.streams.serdes import utf8
from app.streams.testing import Driver


def ad_outcomes() -> Topology:
    builder = Builder()
    shown = builder.stream("shown", key=utf8, value=utf8)
    clicked = builder.stream("clicked", key=utf8, value=utf8)
    shown.left_join(
        clicked,
        lambda ad, click: f"{ad}: {click or 'no click'}",
        JoinWindows(before=0, after=minutes(5), grace=minutes(1)),
        StreamJoined(store_name="ads"),
    ).to("outcomes", value=utf8)
    return builder.build()


def main() -> None:
    with Driver(ad_outcomes()) as driver:
        shown, clicked = driver.input("shown", utf8, utf8), driver.input("clicked", utf8, utf8)
        shown.send("ann", "shoes", at=minutes(0))
        shown.send("bob", "bread", at=minutes(1))
        clicked.send("ann", "bought", at=minutes(3))
        shown.send("cid", "books", at=minutes(9))  # more than 5 + 1 minutes after bob's
        for outcome in driver.output("outcomes", utf8, utf8).read_all():
            print(outcome.timestamp // minutes(1), outcome.key, outcome.value)


if __name__ == "__main__":
    main()
