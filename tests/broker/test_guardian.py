from app.broker.guardian import FAILED_STARTS, LONGEST_PAUSE_S, STABLE_S, Restarts


def test_a_first_start_that_fails_is_not_tried_again() -> None:
    assert Restarts().died(now=1.0, ready_since=None) is None


def test_pauses_grow_to_a_bound_while_it_dies_young() -> None:
    restarts = Restarts()
    pauses = [restarts.died(now=float(start) + 1, ready_since=float(start)) for start in range(10)]
    assert pauses == [0.25, 0.5, 1.0, 2.0, 4.0, 8.0, *[LONGEST_PAUSE_S] * 4]


def test_one_that_ran_for_long_is_back_at_once() -> None:
    restarts = Restarts()
    for start in range(5):
        restarts.died(now=float(start), ready_since=float(start))
    assert restarts.died(now=100.0 + STABLE_S, ready_since=100.0) == 0.25


def test_restarts_that_never_get_ready_end() -> None:
    restarts = Restarts()
    assert restarts.died(now=1.0, ready_since=0.0) is not None
    for _ in range(FAILED_STARTS - 1):
        assert restarts.died(now=2.0, ready_since=None) is not None
    assert restarts.died(now=2.0, ready_since=None) is None


def test_one_success_forgives_failed_starts() -> None:
    restarts = Restarts()
    restarts.died(now=1.0, ready_since=0.0)
    for _ in range(FAILED_STARTS - 1):
        restarts.died(now=2.0, ready_since=None)
    restarts.died(now=3.0, ready_since=2.5)
    assert restarts.died(now=4.0, ready_since=None) is not None
