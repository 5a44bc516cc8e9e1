from collections import Counter

from tests.faults.exactly_once.inputs import JITTER_MS, Numbering
from tests.faults.exactly_once.schedule import INSTANCES, Kind, plan, rounds
from tests.faults.exactly_once.topology import GRACE_MS, LEFT, RIGHT

COUNTS = {Kind.KILL: 40, Kind.TERM: 20, Kind.ZOMBIE: 4, Kind.BROKER: 3, Kind.REBALANCE: 30}


def test_a_seed_replays_its_plan() -> None:
    assert plan(3, COUNTS, 6.0) == plan(3, COUNTS, 6.0)
    assert plan(3, COUNTS, 6.0) != plan(4, COUNTS, 6.0)
    assert Counter(fault.kind for fault in plan(3, COUNTS, 6.0)) == COUNTS
    assert all(fault.lasts > 6.0 for fault in plan(3, COUNTS, 6.0) if fault.kind is Kind.ZOMBIE)


def test_rounds_hold_every_fault_once() -> None:
    for mixed in (False, True):
        played = Counter[Kind]()
        for _, counts in rounds(1, COUNTS, 25, mixed=mixed):
            assert sum(counts.values()) <= 25
            assert mixed or len(counts) == 1
            played.update(counts)
        assert played == COUNTS
        assert [*rounds(1, COUNTS, 25, mixed=mixed)] == [*rounds(1, COUNTS, 25, mixed=mixed)]


def test_rebalances_alone_are_all_waited_for() -> None:
    faults = plan(3, {Kind.REBALANCE: 30}, 6.0)
    assert all(fault.settles and fault.instance >= INSTANCES for fault in faults)
    assert sum(fault.after for fault in faults) < 12, "the rest of a minute is the group's"
    assert not any(fault.settles for fault in plan(3, COUNTS, 6.0)), "the next fault comes into them"


def test_inputs_are_numbered_out_of_order_and_never_late() -> None:
    numbering = Numbering(5, rate=300)
    first = [row for row, _ in zip(numbering.records(LEFT), range(2_000), strict=False)]
    assert first == [row for row, _ in zip(numbering.records(LEFT), range(2_000), strict=False)]
    assert first != [row for row, _ in zip(numbering.records(RIGHT), range(2_000), strict=False)]
    assert len({(row.key, row.timestamp) for row in first}) == 2_000
    late = [max(other.timestamp for other in first[: at + 1]) - row.timestamp for at, row in enumerate(first)]
    assert JITTER_MS < max(late) < GRACE_MS
