"""What stops C, and that it goes on when the cause is gone: a corrupt batch, dead letters that nobody takes."""

import json
import uuid
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from kafka import KafkaProducer
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient, NewTopic

from tests.brokers import BrokerUnderTest
from tests.service import get, is_ready, service, wait_until


def test_a_corrupt_batch_is_reported_and_stops_c_there(
    broker_factory: Callable[[], BrokerUnderTest], tmp_path: Path
) -> None:
    broker = broker_factory()
    topic = "numbers"
    with closing(KafkaAdminClient(bootstrap_servers=broker.address)) as admin:
        admin.create_topics([NewTopic(topic, 1, 1)])
    with closing(KafkaProducer(bootstrap_servers=broker.address)) as producer:
        for number in range(20):  # a batch each
            producer.send(topic, b'{"A": %d}' % (1_000 + number), partition=0).get(10)
    broker.stop()
    (segment,) = (broker.folder / "data").glob(f"{topic}-0/*.log")
    intact = segment.read_bytes()
    segment.write_bytes(intact.replace(b'{"A": 1012}', b'{"A": 1\x0012}'))
    broker.start()
    settings = {
        "APP_KAFKA__BOOTSTRAP_SERVERS": broker.address,
        "APP_KAFKA__TOPIC": topic,
        "APP_C__SESSION_TIMEOUT_MS": "6000",
        "APP_ROLES": "c",
    }
    with service(tmp_path, settings) as (life, port):
        wait_until("it is reported", lambda: f"{topic}-0 at offset 12: " in life.log.read_text())
        life.wait_for_lines(12)
        assert f"C: {topic}-0 at offset 12: the batch cannot be read" in get(port, "/readyz?verbose")[1]
        assert get(port, "/livez")[0] == 200
        assert life.lines() == [f'{{"A": {1_000 + number}}}' for number in range(12)]
        broker.stop()
        segment.write_bytes(intact)
        broker.start()
        life.wait_for_lines(20)
        wait_until("ready again", lambda: is_ready(port))
    assert life.lines() == [f'{{"A": {1_000 + number}}}' for number in range(20)]


def test_dead_letters_that_cannot_be_written_stop_c_before_its_commit(kafka: str, tmp_path: Path) -> None:
    topic = f"undeliverable-{uuid.uuid4().hex[:8]}"
    tiny = {"max.message.bytes": "100"}
    with closing(KafkaAdminClient(bootstrap_servers=kafka)) as admin:
        admin.create_topics([NewTopic(topic, 1, 1), NewTopic(f"{topic}.dlq", 1, 1, topic_configs=tiny)])
        with closing(KafkaProducer(bootstrap_servers=kafka)) as producer:
            producer.send(topic, b"poison", partition=0).get(10)
            producer.send(topic, b'{"A": 1}', partition=0).get(10)
        settings = {
            "APP_KAFKA__BOOTSTRAP_SERVERS": kafka,
            "APP_KAFKA__TOPIC": topic,
            "APP_C__GROUP_ID": topic,
            "APP_C__SESSION_TIMEOUT_MS": "6000",
            "APP_ROLES": "c",
        }
        with service(tmp_path / "first", settings) as (life, port):
            wait_until("it says so", lambda: "C: dead letters cannot be written" in get(port, "/readyz?verbose")[1])
            assert not is_ready(port)
            assert life.lines() == []
        assert admin.list_group_offsets(topic) in ({}, {topic: {}})
        large = ConfigResource(ConfigResourceType.TOPIC, f"{topic}.dlq", configs={"max.message.bytes": "100000"})
        with service(tmp_path / "second", settings) as (life, port):
            wait_until("it waits", lambda: "C waits, next attempt" in life.log.read_text())
            admin.alter_configs([large])
            life.wait_for_lines(1)
            wait_until("ready", lambda: is_ready(port))
            facts = json.loads(get(port, "/statistics")[1])
        assert [each["reason"] for each in facts["consumers"][0]["dead_letters"]] == ["not_json"]
