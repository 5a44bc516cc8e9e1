"""What ends the streams role, found in the groups that task groups raise."""

from __future__ import annotations

from collections.abc import Iterator

from app.errors import ExitCode, ServiceError


class StreamsFailed(ServiceError):
    """A record, or the code of the topology, that cannot be gone on from."""

    code = ExitCode.BUG


def cause_of(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """What a user is told: the first fault that says what to do, else the first error."""
    leaves = list(_leaves(group))
    return next((error for error in leaves if isinstance(error, ServiceError)), leaves[0])


def _leaves(group: BaseExceptionGroup[BaseException]) -> Iterator[BaseException]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
