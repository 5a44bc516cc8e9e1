"""Transactional ids of a group, as far as one member was told of them: who is present, who has died, who is fenced."""

from __future__ import annotations

from collections.abc import Collection, Iterable


class Roll:
    """What a member tells the next leader, so that a death is remembered until it is settled."""

    def __init__(self) -> None:
        self.known: tuple[str, ...] = ()
        """The present, then the dead, the latest first."""
        self.fenced: frozenset[str] = frozenset()
        """Of the dead: nobody has to be told of them again."""
        self._present: frozenset[str] = frozenset()

    def called(self, present: Collection[str]) -> None:
        """As leader: those who are present now may die before any member hears of them."""
        self.known = (*present, *(name for name in self.known if name not in present))

    def told(self, present: Iterable[str], dead: Collection[str]) -> None:
        """By the leader, for the generation that begins."""
        self._present = frozenset(present)
        self.known = (*sorted(self._present), *(name for name in dead if name not in self._present))
        self.fenced = self.fenced.intersection(dead)

    def fence(self, names: Iterable[str]) -> None:
        """They are fenced; but who is present by now is not dead."""
        self.fenced |= set(names) - self._present

    def doubt(self) -> None:
        """A generation went by unheard: who was dead may have come back in it and died again."""
        self.fenced = frozenset()
