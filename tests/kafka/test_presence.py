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
