"""The topology of java/TakeOver.java. Topics are named after the application, so that many can run side by side."""

from app.streams import Builder, JoinWindows, Materialized, StreamJoined, Tumbling, days, seconds
from app.streams.serdes import int64, utf8

WINDOW, REACH, GRACE = seconds(10), seconds(1), days(1)


def take_over(builder: Builder) -> None:
    application = builder.config.application_id
    left = builder.stream(f"{application}.left", key=utf8, value=utf8)
    right = builder.stream(f"{application}.right", key=utf8, value=utf8)

    left.group_by_key().count(Materialized("counts")).to_stream().to(f"{application}.counts", key=utf8, value=int64)

    # the store and its repartition topic have the names that Java makes up
    (
        left.group_by(lambda key, _value: key[-1], key=utf8, value=utf8)
        .windowed_by(Tumbling(WINDOW, grace=GRACE))
        .count()
        .to_stream(lambda window, _count: f"{window.key}@{window.start}")
        .to(f"{application}.windows", key=utf8, value=int64)
    )

    left.join(
        right,
        lambda one, other: f"{one}+{other}",
        JoinWindows.within(REACH, GRACE),
        StreamJoined(utf8, utf8, utf8, name="pairs", store_name="pairs"),
    ).to(f"{application}.pairs", key=utf8, value=utf8)
