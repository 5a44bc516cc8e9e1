"""What a reset may not do on a cluster."""

from pathlib import Path

import pytest

from app.errors import NoPermission
from app.kafka.admin import Admin, open_admin
from app.kafka.clients import target
from app.kafka.requests import Operation
from app.kafka.resetting import Aim, execute, survey
from app.settings import KafkaSettings
from app.topologies import build
from tests.commands.applications import application
from tests.commands.test_reset import committed, lived
from tests.kafka.granting import allow, becomes
from tests.kafka.listeners import USERS, Listeners


async def test_a_missing_right_is_told_before_anything_is_changed(
    listeners: Listeners, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, login = listeners.addresses["PLAINTEXT"], listeners.addresses["LOGIN"]
    with application("reset-rights", plain, tmp_path, monkeypatch) as app:
        await lived(app)
        before = await committed(app)
        for topic in (f"{app.name}.words", f"{app.name}.more", *app.internal):
            await allow(plain, "alice", Operation.DESCRIBE, "topic", topic)
        await allow(plain, "alice", Operation.READ, "group", app.name)
        alice = KafkaSettings.model_validate(
            {"security_protocol": "SASL_PLAINTEXT", "sasl_username": "alice", "sasl_password": USERS["alice"]}
        )

        async def begin(admin: Admin) -> None:
            await anext(execute(admin, await survey(admin, build(app.loaded().settings), Aim(), stable=True)))

        async def refusal() -> str:
            async with open_admin(target(alice, (login,))) as admin:
                with pytest.raises(NoPermission) as refused:
                    await begin(admin)
            return str(refused.value)

        grant = "grant it: kafka-acls.sh --add --allow-principal 'User:alice' --operation"
        wanted = (
            f"topic {app.internal[0]} may not be deleted; nothing was changed on Kafka; "
            f"{grant} Delete --topic {app.internal[0]}"
        )
        assert await becomes(refusal, wanted) == wanted
        for topic in app.internal:
            await allow(plain, "alice", Operation.DELETE, "topic", topic)
        wanted = (
            f"the offsets of topic {app.name}.words cannot be set: not allowed; {grant} Read --topic {app.name}.words"
        )
        assert await becomes(refusal, wanted) == wanted
        assert await committed(app) == before
