"""What `check` says where the stream topology may not do what it has to."""

from pathlib import Path

import pytest

from app.kafka.probe import probe
from app.kafka.requests import Operation
from app.topologies import build
from tests.commands.applications import application
from tests.kafka.granting import allow, becomes
from tests.kafka.listeners import USERS, Listeners


async def test_rights_that_the_topology_lacks(
    listeners: Listeners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = listeners.addresses["PLAINTEXT"]
    with application("check-rights", plain, tmp_path, monkeypatch) as app:
        await app.make_inputs()
        await app.make_internal()
        for topic in ("words", "more"):
            await allow(plain, "alice", Operation.DESCRIBE, "topic", f"check-rights.{topic}")
        login = {
            "KAFKA_BOOTSTRAP_SERVERS": listeners.addresses["LOGIN"],
            "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
            "KAFKA_SASL_USERNAME": "alice",
            "KAFKA_SASL_PASSWORD": USERS["alice"],
            "APP_ROLES": "streams",
        }

        loaded = app.loaded(**login)
        topology = build(loaded.settings)

        async def told() -> list[str]:
            report = await probe(loaded.settings, [login["KAFKA_BOOTSTRAP_SERVERS"]], None, topology)
            return [fault.why for fault in report.failures]

        wanted = [
            "topic check-rights-by-word-repartition is not there and may not be created",
            "no permission to read topic check-rights.more",
            "no permission to read topic check-rights.words",
            "no permission to read group check-rights",
            "no permission to write with transactional ids that begin with check-rights-",
        ]
        assert await becomes(told, wanted) == wanted
