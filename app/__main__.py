"""`python -m app [command] [flags]`: what can fail before a command runs, and what a user sees when one fails."""

import os
import signal
import sys

if __name__ == "__main__" and not {"check", "config", "dlq", "health", "reset", "topics", "topology"} & set(
    sys.argv[1:2]
):
    # The service handles its signals once it runs. To be stopped while its modules load is an ordinary end, too. An
    # exception would not do: raised inside some import it may be swallowed there, and the signal would be lost.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from app import __version__
from app.commands import COMMANDS, Invocation, parse
from app.errors import ExitCode, ServiceError


def main(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    """Runs a command and returns the exit code. A fault of the user's is one line on stderr, never a traceback."""
    try:
        return _dispatch(argv, environ)
    except ServiceError as error:
        return _fail(str(error), error.code)
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    except BrokenPipeError as error:
        return ExitCode.OK if _stdout_is_gone() else _bug(error, environ)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] == "app":
            return _bug(error, environ)
        missing = error.name.partition(".")[0]
        return _fail(f"the Python package {missing} is missing; scripts/run installs all", ExitCode.UNAVAILABLE)
    except Exception as error:  # noqa: BLE001  # the last place that can turn a bug into a line and a code
        return _bug(error, environ)


def _dispatch(argv: Sequence[str], environ: Mapping[str, str]) -> int:
    if "--version" in argv:
        sys.stdout.write(f"app {__version__}\n")
        sys.stdout.flush()
        return ExitCode.OK
    if "--help" in argv or "-h" in argv:
        from app.commands.help import show

        show(argv[0] if argv and argv[0] in COMMANDS else None)
        return ExitCode.OK
    invocation = parse(argv)
    if invocation.command == "health":
        # A probe runs every few seconds for ever: it must not import pydantic.
        from app.commands.health import run

        return run(environ, invocation.flags, **invocation.arguments)
    return _run(invocation, environ)


def _run(invocation: Invocation, environ: Mapping[str, str]) -> int:
    from importlib import import_module

    with _loading():
        from app.settings import load

        loaded = load(invocation.flags, environ, COMMANDS[invocation.command].flags)
        command = import_module(f"app.commands.{invocation.command}")
    return int(command.run(loaded, **invocation.arguments))


@contextmanager
def _loading() -> Iterator[None]:
    """Modules load in less time when nobody looks for garbage among what is there to stay."""
    import gc

    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _fail(lines: str, code: ExitCode) -> int:
    sys.stderr.write(f"{lines}\n")
    return code


def _bug(error: Exception, environ: Mapping[str, str]) -> int:
    """The message of an unforeseen error may hold anything, so it is on one line and short; its place is what helps."""
    if environ.get("APP_LOG__LEVEL", "").upper() == "DEBUG":
        import traceback

        traceback.print_exception(error)
    frame = error.__traceback__
    while frame is not None and frame.tb_next is not None:
        frame = frame.tb_next
    place = f"{frame.tb_frame.f_code.co_filename}:{frame.tb_lineno}" if frame is not None else "nowhere"
    what = " ".join(str(error).split())[:200]
    line = f"internal error: {type(error).__name__}: {what} ({place}); APP_LOG__LEVEL=DEBUG shows how it came about"
    return _fail(line, ExitCode.BUG)


def _stdout_is_gone() -> bool:
    """Whether the reader of stdout went away, as `head` does; then Python's own flush at exit must not fail on it."""
    from select import poll

    stdout = 1
    watch = poll()
    watch.register(stdout, 0)  # no events: an error or a hang-up is told in any case
    if not watch.poll(0):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), stdout)
    return True


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
