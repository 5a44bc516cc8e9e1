"""Seconds of a clock that the tests move."""

from app.kafka.presence import STOLEN_WITHIN, Presence, awake


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


def test_silence_for_longer_than_a_session_is_the_end() -> None:
    clock = Clock()
    presence = Presence(6_000, clock)
    seen = []
    for seconds in (6, 0.1):
        clock.now += seconds
        seen.append(presence.over)
    presence.heard()
    assert [*seen, presence.over] == [False, True, False]


async def test_an_answer_counts_from_its_question() -> None:
    """The process was stopped between the two: by now the group may have gone on without it."""
    clock = Clock()
    presence = Presence(6_000, clock)

    async def heartbeat(seconds: float, alive: bool) -> bool:
        clock.now += seconds
        return alive

    seen = []
    for seconds, alive in ((7, True), (1, True), (1, False), (4, False), (1.1, False)):
        assert await presence.ask(heartbeat(seconds, alive)) is alive
        seen.append(presence.over)
    assert seen == [True, False, False, False, True]


def test_two_losses_while_alive_are_a_rival() -> None:
    clock = Clock()
    presence = Presence(6_000, clock)
    assert not presence.stolen()
    clock.now += 1
    assert presence.stolen()


def test_losses_far_apart_or_by_silence_are_not() -> None:
    clock = Clock()
    presence = Presence(6_000, clock)
    assert not presence.stolen()
    clock.now += STOLEN_WITHIN
    presence.heard()
    assert not presence.stolen()
    clock.now += 7
    assert not presence.stolen()


def test_the_clock_goes_forward() -> None:
    assert awake() <= awake()
