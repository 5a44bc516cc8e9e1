"""Settings → a built topology."""

from pathlib import Path

import pytest

from app.errors import ConfigError
from app.streams import fail
from app.topologies import build, config, keep
from tests.settings.trying import settings

ONE_GENERATED_NAME = """
from app.streams.serdes import int64, utf8

def topology(builder):
    words = builder.stream("words", key=utf8, value=utf8)
    words.group_by_key().count().to_stream().to("counts", key=utf8, value=int64)
"""


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "generated_names.py").write_text(ONE_GENERATED_NAME)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    return "generated_names:topology"


def test_the_settings_of_the_topology_reach_it(module: str) -> None:
    environ = {
        "APP_TOPOLOGY": module,
        "APP_STREAMS__APPLICATION_ID": "words",
        "APP_STREAMS__STORE": "memory",
        "APP_STREAMS__MAX_TASK_IDLE_MS": "70",
    }
    found = build(settings(environ)).config
    assert (found.application_id, found.persistent_stores, found.max_task_idle) == ("words", False, 70)


@pytest.mark.parametrize(("word", "handler"), [("dead_letter", keep), ("fail", fail)])
def test_a_record_that_fails_is_sent_to_the_dead_letters_whatever_becomes_of_it(word: str, handler: object) -> None:
    found = config(settings({"APP_STREAMS__ERRORS": word}))
    assert found.deserialization_handler is found.processing_handler is found.production_handler is handler
    assert found.dead_letter_topic == "kafka-demo-streams.dlq"


def test_generated_names_are_refused_on_request_and_listed(module: str) -> None:
    build(settings({"APP_TOPOLOGY": module}))
    with pytest.raises(ConfigError) as refusal:
        build(settings({"APP_TOPOLOGY": module, "APP_STREAMS__EXPLICIT_NAMES": "true"}))
    assert "KSTREAM-AGGREGATE-STATE-STORE-0000000001" in str(refusal.value)
