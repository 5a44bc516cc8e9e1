"""The grid of punctuators, without a task."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from app.streams.task.punctuation import NEVER, Punctuator, Punctuators, next_slot


def ticking(interval: int, start: int = 0) -> tuple[Punctuators, list[int], Punctuator]:
    times: list[int] = []
    punctuator = Punctuator("node", interval, times.append)
    clock = Punctuators()
    clock.add(start, punctuator)
    return clock, times, punctuator


def fire(clock: Punctuators, *times: int) -> None:
    for time in times:
        clock.fire(time, lambda punctuator, now: punctuator.punctuate(now))


def test_skipped_slots_are_fired_once_with_the_present_time() -> None:
    clock, times, _ = ticking(10)
    fire(clock, 3, 5, 12, 45, 49, 50)
    assert times == [3, 12, 45, 50]


def test_a_cancelled_punctuator_is_silent_from_then_on() -> None:
    clock, times, punctuator = ticking(10)
    fire(clock, 0)
    punctuator.cancel()
    fire(clock, 20)
    assert times == [0]
    assert clock.due == NEVER


def test_one_may_cancel_itself_while_it_runs() -> None:
    clock, times, punctuator = ticking(10)
    clock.fire(0, lambda running, _: running.cancel())
    fire(clock, 100)
    assert times == []
    assert punctuator.cancelled


def test_the_earliest_slot_comes_first() -> None:
    order: list[str] = []
    clock = Punctuators()
    clock.add(20, Punctuator("late", 100, lambda _: order.append("late")))
    clock.add(10, Punctuator("early", 100, lambda _: order.append("early")))
    fire(clock, 30)
    assert order == ["early", "late"]


@given(st.integers(0, 100), st.integers(1, 50), st.integers(0, 1000))
def test_the_next_slot_is_the_first_of_the_grid_after_now(slot: int, interval: int, ahead: int) -> None:
    now = slot + ahead
    found = next_slot(slot, interval, now)
    assert found > now
    assert found - interval <= now or found == slot + interval
    assert (found - slot) % interval == 0


def test_cancelled_punctuators_do_not_pile_up() -> None:
    clock = Punctuators()
    fired: list[int] = []
    kept = [Punctuator("node", 10, fired.append) for _ in range(100)]
    for each in kept:
        clock.add(1_000, each)
    for at in range(10_000):
        timer = Punctuator("node", 10, fired.append)
        clock.add(1_000_000 - at, timer)
        timer.cancel()
    assert len(clock) < 3 * len(kept)
    fire(clock, 1_000)
    assert fired == [1_000] * 100
