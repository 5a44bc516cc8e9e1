"""The plan's promises, for any group; and the cases that have a story."""

import time
from collections import Counter

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from app.streams.assignment import Duties, Member, Plan, Work, plan
from app.streams.model import TaskId

TASKS = st.builds(TaskId, st.integers(0, 3), st.integers(0, 5))


@st.composite
def groups(draw: st.DrawFn) -> tuple[Work, list[Member]]:
    tasks = draw(st.frozensets(TASKS, max_size=20))
    stateful = frozenset(task for task in tasks if draw(st.booleans()))
    work = Work(
        tasks=tasks,
        stateful=stateful,
        standbys=draw(st.integers(0, 2)),
        max_warmups=draw(st.integers(0, 3)),
        acceptable_lag=100,
    )
    members = []
    for number in range(draw(st.integers(1, 5))):
        lags = {task: draw(st.sampled_from([0, 50, 100, 101, 10**6])) for task in stateful if draw(st.booleans())}
        running = frozenset(task for task in tasks if draw(st.integers(0, 4)) == 0)
        lags |= dict.fromkeys(running & stateful, 0)
        members.append(Member(f"m{number}", f"p{draw(st.integers(0, 4))}", running, lags))
    return work, members


@settings(max_examples=300)
@given(groups())
def test_what_holds_for_any_group(group: tuple[Work, list[Member]]) -> None:
    work, members = group
    made = plan(work, members)
    by_name = {member.name: member for member in members}
    active = Counter(task for duties in made.duties.values() for task in duties.active)
    assert active == Counter(work.tasks)
    for name, duties in made.duties.items():
        assert not set(duties.active) & set(duties.standby)
        assert not set(duties.warmups) & (set(duties.active) | set(duties.standby))
        assert set(duties.standby) | set(duties.warmups) <= work.stateful
        for task in duties.standby:
            owner = next(other for other, theirs in made.duties.items() if task in theirs.active)
            assert by_name[owner].process != by_name[name].process
    assert sum(len(duties.warmups) for duties in made.duties.values()) <= work.max_warmups
    copies = Counter(task for duties in made.duties.values() for task in duties.standby)
    processes = len({member.process for member in members})
    assert all(count <= work.standbys for count in copies.values())
    for task in work.stateful if processes > work.standbys + 1 else ():
        assert copies[task] == work.standbys


@given(groups(), st.randoms())
def test_the_order_of_the_members_does_not_matter(group: tuple[Work, list[Member]], chance: object) -> None:
    work, members = group
    assert plan(work, members) == plan(work, list(reversed(members)))


@settings(max_examples=200)
@given(groups())
def test_repeated_it_settles_in_balance_and_then_nothing_moves(group: tuple[Work, list[Member]]) -> None:
    """Each member does as it was told and restores fully between two plans."""
    work, members = group
    assume(work.max_warmups)  # else a task without a warm copy elsewhere never moves
    for _ in range(len(work.tasks) + 2):
        made = plan(work, members)
        if not unsettled(made) and made == plan(work, followed(made, members)):
            break
        members = followed(made, members)
    else:
        raise AssertionError("it never settles")
    for counted in (work.tasks, work.stateful):
        loads = [len(counted.intersection(duties.active)) for duties in made.duties.values()]
        assert max(loads) - min(loads) <= 1


def unsettled(made: Plan) -> bool:
    """Whether a task is to move when its warm-up is done."""
    return any(duties.warmups for duties in made.duties.values())


def followed(made: Plan, members: list[Member]) -> list[Member]:
    after = []
    for member in members:
        duties: Duties = made.duties[member.name]
        copies = dict.fromkeys((*duties.active, *duties.standby, *duties.warmups), 0)
        after.append(Member(member.name, member.process, frozenset(duties.active), copies))
    return after


def member(name: str, *running: TaskId, **lags: int) -> Member:
    copies = {TaskId(0, int(task.removeprefix("t"))): lag for task, lag in lags.items()}
    return Member(name, name, frozenset(running), {**copies, **dict.fromkeys(running, 0)})


T = [TaskId(0, number) for number in range(4)]


def stateful(*tasks: TaskId, standbys: int = 0) -> Work:
    return Work(tasks=frozenset(tasks), stateful=frozenset(tasks), standbys=standbys, acceptable_lag=100)


def test_a_newcomer_without_state_is_warmed_up_before_it_takes_over() -> None:
    first = plan(stateful(*T), [member("a", *T), member("b")])
    assert first.duties["a"].active == tuple(T)
    assert len(first.duties["b"].warmups) == 2
    assert unsettled(first)
    warm = {f"t{task.partition}": 0 for task in first.duties["b"].warmups}
    second = plan(stateful(*T), [member("a", *T), member("b", **warm)])
    assert second.duties["b"].active == first.duties["b"].warmups
    assert not unsettled(second)


def test_tasks_without_state_move_at_once() -> None:
    made = plan(Work(tasks=frozenset(T)), [member("a", *T), member("b")])
    assert [len(made.duties[name].active) for name in "ab"] == [2, 2]


def test_a_standby_takes_over_from_the_dead() -> None:
    made = plan(stateful(*T[:2], standbys=1), [member("b", T[1], t0=3), member("c")])
    assert made.duties["b"].active == (T[0], T[1]) or T[0] in made.duties["b"].active
    assert T[0] not in made.duties["c"].active


def test_whoever_lacks_least_restores_when_nobody_is_caught_up() -> None:
    made = plan(stateful(T[0]), [member("a", t0=9_000), member("b", t0=500), member("c")])
    assert made.duties["b"].active == (T[0],)


def test_whoever_gives_tasks_away_keeps_some_of_every_kind() -> None:
    tasks = [TaskId(part, number) for part in range(2) for number in range(4)]
    made = plan(Work(tasks=frozenset(tasks)), [member("a", *tasks), member("b")])
    for name in "ab":
        assert Counter(task.subtopology for task in made.duties[name].active) == {0: 2, 1: 2}


def test_state_is_shared_before_the_rest() -> None:
    heavy = [TaskId(1, number) for number in range(2)]
    tasks = frozenset([*T, *heavy])
    made = plan(Work(tasks=tasks, stateful=frozenset(heavy), acceptable_lag=100), [member("a"), member("b")])
    for name in "ab":
        assert Counter(task.subtopology for task in made.duties[name].active) == {0: 2, 1: 1}


def test_a_standby_stays_where_its_copy_is() -> None:
    work = stateful(*T[:2], standbys=1)
    made = plan(work, [member("a", T[0]), member("b", T[1]), member("c"), member("d", t0=500, t1=400)])
    assert made.duties["d"].standby == (T[0], T[1])


def test_no_standby_shares_the_process_of_what_it_stands_by() -> None:
    twins = [Member("a", "p", frozenset(T[:1]), {T[0]: 0}), Member("b", "p", frozenset(), {T[0]: 0})]
    made = plan(stateful(T[0], standbys=1), twins)
    assert not any(duties.standby for duties in made.duties.values())


def test_a_large_group_is_planned_quickly() -> None:
    """On the event loop, between two heartbeats."""
    tasks = frozenset(TaskId(part, number) for part in range(4) for number in range(250))
    work = Work(tasks=tasks, stateful=tasks, standbys=1)
    members = [Member(f"m{number}", f"p{number}") for number in range(50)]
    began = time.perf_counter()
    plan(work, members)
    assert time.perf_counter() - began < 5


def test_nobody_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one member"):
        plan(stateful(*T), [])
