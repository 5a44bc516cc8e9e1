"""Names on the roll: who is known, who is dead, and who needs no fence."""

from app.kafka.roll import Roll


def test_a_leader_knows_who_was_there_before() -> None:
    roll = Roll()
    roll.told({"a", "b"}, ())
    roll.called(("a", "c"))
    assert roll.known == ("a", "c", "b")


def test_what_a_member_is_told_replaces_what_it_knew() -> None:
    roll = Roll()
    roll.called(("a", "x"))
    roll.told({"b", "a"}, ("z", "b", "y"))
    assert roll.known == ("a", "b", "z", "y")


def test_the_present_are_not_fenced() -> None:
    roll = Roll()
    roll.told({"a"}, ("b", "c"))
    roll.fence(("a", "b"))
    assert roll.fenced == {"b"}


def test_a_fence_is_told_until_nobody_asks_for_it() -> None:
    roll = Roll()
    roll.told({"a"}, ("b", "c"))
    roll.fence(("b", "c"))
    roll.told({"a"}, ("c",))
    assert roll.fenced == {"c"}
    roll.doubt()
    assert not roll.fenced
