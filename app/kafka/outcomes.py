"""How a transaction can fail, told by what is known of its fate."""

from aiokafka.errors import (
    IllegalGenerationError,
    IllegalOperation,
    InvalidProducerEpoch,
    KafkaError,
    ProducerFenced,
    UnknownMemberIdError,
)

from app.kafka.compat import FencedInstanceIdError
from app.kafka.failures import describe


class TransactionFailed(Exception):
    """The producer is spent: drop it, open another with the same transactional id (which settles what this one left),
    fetch the stable offsets and start again from there. `__cause__` is the client's error."""

    committed: bool | None = False
    """None: not known."""


class Aborted(TransactionFailed):
    """Nothing of it was or will be visible."""


class OutcomeUnknown(TransactionFailed):
    """EndTxn was sent and its answer not seen."""

    committed = None


class Fenced(TransactionFailed):
    """Somebody else goes on in our place: another generation of the group, or another epoch of the producer."""

    def __init__(self, text: str, *, committed: bool | None = False) -> None:
        super().__init__(text)
        self.committed = committed


FENCING = (
    ProducerFenced,
    InvalidProducerEpoch,
    IllegalGenerationError,
    UnknownMemberIdError,
    FencedInstanceIdError,
)


CLIENT_ERRORS = (KafkaError, IllegalOperation, TimeoutError, AssertionError)
"""What aiokafka raises. It guards the states of a transaction by assertions, and by IllegalOperation, which is no
KafkaError: what its sender learns while a call waits for metadata is told so."""


def failed(cause: BaseException, *, end_unanswered: bool) -> TransactionFailed:
    """`end_unanswered`: an EndTxn that commits may have reached the coordinator without our knowing what it said."""
    root = root_cause(cause)
    text = str(root) if isinstance(root, KafkaError) else describe(root)  # aiokafka's begin with their names
    if isinstance(root, FENCING):
        return Fenced(text, committed=None if end_unanswered else False)
    return OutcomeUnknown(text) if end_unanswered else Aborted(text)


def root_cause(error: BaseException) -> BaseException:
    """aiokafka's sender wraps what it did not expect in a KafkaError that says nothing."""
    while type(error) is KafkaError and error.__cause__ is not None:
        error = error.__cause__
    return error
