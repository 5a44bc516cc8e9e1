"""Count words: each line updates the counts of its words. Run it: `python -m examples.word_count`."""

from app.streams import Builder, Materialized, Topology
from app.streams.serdes import int64, utf8
from app.streams.testing import Driver


def word_count() -> Topology:
    builder = Builder()
    lines = builder.stream("lines", key=utf8, value=utf8)
    (
        lines.flat_map_values(lambda _key, line: line.lower().split())
        .group_by(lambda _key, word: word, key=utf8, value=utf8)
        .count(Materialized("counts"))
        .to_stream()
        .to("word-counts")
    )
    return builder.build()


def main() -> None:
    with Driver(word_count()) as driver:
        lines = driver.input("lines", utf8, utf8)
        lines.send(None, "hello streams")
        lines.send(None, "hello Kafka")
        for word, count in driver.output("word-counts", utf8, int64).read_pairs():
            print(word, count)


if __name__ == "__main__":
    main()
