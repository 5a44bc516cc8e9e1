"""How many partitions a topic has of which nobody knew before."""

from app.kafka.partition_counts import partition_count
from tests.kafka.logs import Log


async def test_a_topic_is_counted_and_one_that_is_not_there_is_not_made(kafka: str) -> None:
    known, early, nowhere = Log(kafka), Log(kafka, partitions=3), Log(kafka)
    known.create()
    early.create()
    async with known.reader() as consumer:
        assert await partition_count(consumer, early.topic) == 3
        for _ in range(2):
            assert await partition_count(consumer, nowhere.topic) is None
