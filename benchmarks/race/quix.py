"""The same three programs on Quix Streams; run by a Python of its own, which has it."""

import os

from quixstreams import Application  # type: ignore[import-not-found,unused-ignore]


def main() -> None:
    environ = os.environ
    application = Application(
        broker_address=environ["RACE_SERVERS"],
        consumer_group=environ["RACE_GROUP"],
        processing_guarantee=environ["RACE_GUARANTEE"].removesuffix("_v2").replace("_", "-"),
        commit_interval=int(environ["RACE_COMMIT_MS"]) / 1000,
        state_dir=environ["RACE_STATE"],
        auto_offset_reset="earliest",
        auto_create_topics=True,
        loglevel="WARNING",
        # librdkafka looks again only after this long when its queue was full: 1,000 ms by default
        consumer_extra_config={"fetch.queue.backoff.ms": 5},
        producer_extra_config={"linger.ms": 5},
    )
    frame = application.dataframe(application.topic(environ["RACE_INPUT"], value_deserializer="json"))
    output = application.topic(environ["RACE_OUTPUT"], value_serializer="json")
    if environ["RACE_SHAPE"] == "stateless":
        frame = frame.filter(lambda value: value["n"] % 10 != 9).apply(lambda value: {**value, "name": "seen"})
    elif environ["RACE_SHAPE"] == "count":

        def count(_value: object, state: "State") -> int:  # type: ignore[name-defined] # noqa: F821
            total: int = state.get("count", 0) + 1
            state.set("count", total)
            return total

        frame = frame.apply(count, stateful=True)
    else:
        frame = frame.tumbling_window(int(environ["RACE_WINDOW"])).count().current()
    frame.to_topic(output)
    application.run()


main()
