"""The moments of a transaction at which a crash, a pause or a lost connection leaves something different behind."""

from collections.abc import Callable
from enum import Enum


class Step(Enum):
    """In the order of their coming."""

    BEFORE_BEGIN = "before begin"
    BEGUN = "begun"
    BEFORE_SEND = "before a batch"
    SENT = "a batch is queued"
    CONFIRMED = "every batch is confirmed, no offset is sent"
    OFFSETS_HELD = "the offsets are held by the transaction, which is not ended"
    END_SENT = "EndTxn is sent, not answered"
    END_ANSWERED = "EndTxn is answered, the caller not yet told"


Failpoint = Callable[[Step], None]
"""Called on the event loop. It may stop or kill the process, or raise: the transaction fails as by a cancellation."""


def passes(step: Step) -> None:
    """The failpoint of those who test nothing."""
