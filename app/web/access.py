"""What the web layer may ask of the stream engine. The service gives an object that does this; web knows no task."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, TypeAlias

from app.streams.model import TopicPartition
from app.streams.queries import Budget, Here, Part, Place, Question


class StreamsAccess(Protocol):
    """Nothing in it waits. All but `pause` and `resume` raise QueryRefused."""

    @property
    def paused(self) -> bool: ...

    def listing(self) -> list[dict[str, Any]]:
        """Every store as JSON values: name, kind, and where its partitions are."""
        ...

    def places(self, question: Question) -> Sequence[Place]:
        """Of a question for a key one place; else those of every partition it is about, in order."""
        ...

    def preparing(self, question: Question, place: Here) -> Iterator[None]:
        """What has to be done before `read`, in slices."""
        ...

    def read(self, question: Question, place: Here, budget: Budget) -> Part:
        """What is committed here."""
        ...

    def positions(self, name: str, place: Here) -> Mapping[TopicPartition, int]:
        """How far the rows here are: offsets that are included."""
        ...

    def pause(self) -> None: ...

    def resume(self) -> None: ...


Streams: TypeAlias = Callable[[], StreamsAccess | None]
"""None: the streams role is not played in this process, or has not begun."""


def no_streams() -> StreamsAccess | None:
    return None
