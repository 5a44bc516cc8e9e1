"""What `python -m app` can do. Each command is a module here with `run(loaded, *, <its switches>) -> int`.

Nothing heavy is imported here: a health probe passes through.
"""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

from app.errors import UsageError


class Command(NamedTuple):
    summary: str
    switches: Mapping[str, str] = {}
    """Flags without a value that only this command has → what they do."""


_FRESH: Final = {"--fresh": "wipe the private Kafka's data first"}

COMMANDS: Final[Mapping[str, Command]] = {
    "run": Command("run the roles; what happens without a command", _FRESH),
    "check": Command(
        "try the connection to Kafka step by step, and name the step that fails and the variable to look at",
        {"--json": "print the steps as JSON"},
    ),
    "health": Command(
        "ask the running service whether it is alive; for container probes",
        {"--ready": "ask whether it is ready instead"},
    ),
    "config": Command(
        "print the settings in effect and where each came from, secrets starred", {"--json": "print them as JSON"}
    ),
    "broker": Command("run the private Kafka alone and print its address for other programs", _FRESH),
    "topology": Command(
        "print the stream topology as Kafka Streams describes it", {"--mermaid": "print it as a Mermaid drawing"}
    ),
    "topics": Command(
        "list what this service uses on the cluster",
        {"--delete": "print what would be deleted", "--execute": "with --delete: delete it"},
    ),
}


class Invocation(NamedTuple):
    command: str
    switches: Mapping[str, bool]
    """Keyword arguments for the command's `run`."""
    flags: tuple[str, ...]
    """The rest of the command line: settings."""


def parse(argv: Sequence[str]) -> Invocation:
    """Splits a command line; the flags for settings are judged later, by those who know the settings.

    Raises UsageError.
    """
    command, rest = (argv[0], argv[1:]) if argv and not argv[0].startswith("-") else ("run", argv)
    if command not in COMMANDS:
        raise UsageError(_unknown(command))
    known = COMMANDS[command].switches
    flags: list[str] = []
    given: set[str] = set()
    for word in rest:
        if word in given:
            raise UsageError(f"{word}: given twice")
        if word in known:
            given.add(word)
            continue
        owners = [name for name, other in COMMANDS.items() if word.partition("=")[0] in other.switches]
        if owners and command not in owners:
            raise UsageError(f"{word.partition('=')[0]}: belongs to {' and '.join(owners)}, not to {command}")
        if owners:
            raise UsageError(f"{word.partition('=')[0]}: takes no value")
        flags.append(word)
    return Invocation(command, {name.removeprefix("--"): name in given for name in known}, tuple(flags))


def _unknown(command: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # only a mistake pays for it

    nearest = get_close_matches(command.lower(), COMMANDS, n=1)
    meant = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(COMMANDS)}"
    return f"{command[:40]!r}: unknown command; {meant}"
