"""An application of a test's own: its topology as a user would write it, its topics, its settings."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from app.kafka.clients import target
from app.kafka.internal_topics import ensure_internal_topics
from app.settings import KafkaSettings, Loaded, load
from app.topologies import build
from tests.kafka.granting import create_topic

_TOPOLOGY = """
from app.streams import Materialized
from app.streams.serdes import int64, utf8


def topology(builder):
    words = builder.stream("{name}.words", key=utf8, value=utf8, name="words")
    again = words.merge(builder.stream("{name}.more", key=utf8, value=utf8, name="more"))
    again.select_key(lambda _key, word: word).group_by_key(name="by-word", key=utf8, value=utf8).count(
        Materialized("counts")
    ).to_stream().to("{name}.counts", key=utf8, value=int64)
"""


@dataclass(frozen=True)
class Application:
    """Reads <name>.words (2 partitions) and <name>.more (1), counts in <name>-counts-changelog, writes <name>.counts.

    `KAFKA_TOPIC` is <name>.words, too, so that C's dead letters are those of the same records."""

    name: str
    server: str
    folder: Path

    def loaded(self, **more: str) -> Loaded:
        return load([], self.environ | more)

    @property
    def environ(self) -> dict[str, str]:
        return {
            "KAFKA_BOOTSTRAP_SERVERS": self.server,
            "KAFKA_TOPIC": f"{self.name}.words",
            "KAFKA_GROUP_ID": f"{self.name}-numbers",
            "APP_TOPOLOGY": f"{self.module}:topology",
            "APP_STREAMS__APPLICATION_ID": self.name,
            "APP_STREAMS__STATE_DIR": str(self.state_dir),
        }

    @property
    def module(self) -> str:
        return self.name.replace("-", "_")

    @property
    def state_dir(self) -> Path:
        return self.folder / "state"

    @property
    def internal(self) -> list[str]:
        return [f"{self.name}-by-word-repartition", f"{self.name}-counts-changelog"]

    async def make_inputs(self) -> None:
        await create_topic(self.server, f"{self.name}.words", 2)
        await create_topic(self.server, f"{self.name}.more", 1)

    async def make_internal(self) -> None:
        await ensure_internal_topics(target(KafkaSettings(), (self.server,)), build(self.loaded().settings))


@contextmanager
def application(name: str, server: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Application]:
    made = Application(name, server, folder)
    (folder / f"{made.module}.py").write_text(_TOPOLOGY.format(name=name))
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(folder)
    try:
        yield made
    finally:
        sys.modules.pop(made.module, None)
