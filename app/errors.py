"""What a user is told when something goes wrong, and the exit code that says the same to a machine.

ServiceError            one line: what failed, why, what to do next
├── ConfigError         78  a setting is wrong
├── UsageError          64  an unknown command or flag
├── BrokerUnavailable   69  no broker answers, or an essential part of it is missing
├── TryAgain            75  fenced, or something else holds what is needed now
└── NoPermission        77  wrong credentials, or an operation that is not allowed
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import TypeVar

Error = TypeVar("Error", bound=BaseException)


class ExitCode(IntEnum):
    """sysexits(3), as far as it fits a service."""

    OK = 0
    BUG = 1
    USAGE = 64
    UNAVAILABLE = 69
    TRY_AGAIN = 75
    NO_PERMISSION = 77
    CONFIG = 78
    INTERRUPTED = 130


class ServiceError(Exception):
    """A fault that a user can act on. `str()` is the whole line; there is no traceback to show."""

    code = ExitCode.BUG

    def __init__(self, what: str, *, try_next: str = "") -> None:
        super().__init__(f"{what}; {try_next}" if try_next else what)
        self.what = what
        """The line without the advice, for where it was given before."""


class ConfigError(ServiceError):
    code = ExitCode.CONFIG


class UsageError(ServiceError):
    code = ExitCode.USAGE


class BrokerUnavailable(ServiceError):
    code = ExitCode.UNAVAILABLE


class TryAgain(ServiceError):
    code = ExitCode.TRY_AGAIN


class NoPermission(ServiceError):
    code = ExitCode.NO_PERMISSION


def cause_of(group: BaseExceptionGroup[Error], *telling: type[BaseException]) -> Error:
    """Of what a task group raised, what a user is told: the first fault that says what to do (a ServiceError, or one of
    `telling`), else the first error."""
    leaves = list(_leaves(group))
    return next((error for error in leaves if isinstance(error, (ServiceError, *telling))), leaves[0])


def _leaves(group: BaseExceptionGroup[Error]) -> Iterator[Error]:
    for error in group.exceptions:
        if isinstance(error, BaseExceptionGroup):
            yield from _leaves(error)
        else:
            yield error
