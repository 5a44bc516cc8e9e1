"""Ours, named by APP_TOPOLOGY; the topics come in the environment, as they do to every candidate."""

from __future__ import annotations

import os
from typing import Any

from app.streams import Builder, Materialized, Tumbling
from app.streams.serdes import int64, json, utf8, windowed
from benchmarks.race.load import WINDOW


def stateless(builder: Builder) -> None:
    def renamed(_key: str, value: dict[str, Any]) -> dict[str, Any]:
        return {**value, "name": "seen"}

    stream = builder.stream(os.environ["RACE_INPUT"], key=utf8, value=json(dict))
    stream.filter(lambda _key, value: value["n"] % 10 != 9).map_values(renamed).to(
        os.environ["RACE_OUTPUT"], key=utf8, value=json(dict)
    )


def count(builder: Builder) -> None:
    stream = builder.stream(os.environ["RACE_INPUT"], key=utf8, value=json(dict))
    stream.group_by_key().count(Materialized("counts")).to_stream().to(os.environ["RACE_OUTPUT"], key=utf8, value=int64)


def window(builder: Builder) -> None:
    stream = builder.stream(os.environ["RACE_INPUT"], key=utf8, value=json(dict))
    counts = stream.group_by_key().windowed_by(Tumbling(WINDOW)).count(Materialized("counts"))
    counts.to_stream().to(os.environ["RACE_OUTPUT"], key=windowed(utf8, WINDOW), value=int64)
