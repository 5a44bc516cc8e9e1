"""What `python -m app` can do. Each command is a module here with `run(loaded, *, <its arguments>) -> int`.

Nothing heavy is imported here: a health probe passes through.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from app.errors import UsageError


class Command(NamedTuple):
    summary: str
    switches: Mapping[str, str] = {}
    """Flags without a value that only this command has → what they do."""
    options: Mapping[str, str] = {}
    """Flags with a value that only this command has → what they say."""
    words: Mapping[str, str] = {}
    """What may stand behind the command, in this order → what it says."""

    @property
    def flags(self) -> Mapping[str, str]:
        return {**self.switches, **self.options}


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
    "reset": Command(
        "let the stream topology begin anew: print what would be done; with --execute, while no instance runs, do it",
        {"--execute": "set the offsets, delete the internal topics and this machine's local state"},
        {
            "--to": "where inputs are read from: earliest (the default), latest, an offset or a time such as "
            "2026-11-22T20:00Z; TOPIC=… for one input, several separated by commas",
            "--also": "further topics to delete, separated by commas: internal ones of an older topology",
        },
    ),
    "dlq": Command(
        "look at the records that could not be handled, and send them once more to where they came from",
        {"--execute": "with replay: send them"},
        {
            "--topic": "the dead-letter topic; without it those of consumer C and of the stream topology",
            "--source": "only records that came from this topic",
            "--reason": "only records with this reason: the last part of an exception's name, or C's word",
        },
        {
            "ACTION": "list (the default): how many there are, and the newest; show: one of them; "
            "replay: print what would be sent",
            "RECORD": "for show and replay: [TOPIC/]PARTITION:OFFSET of the dead letter, as list prints it",
        },
    ),
}


class Invocation(NamedTuple):
    command: str
    arguments: Mapping[str, Any]
    """Keyword arguments for the command's `run`: True or False for a switch, a text or None for the rest."""
    flags: tuple[str, ...]
    """The rest of the command line: settings."""


def parse(argv: Sequence[str]) -> Invocation:
    """Splits a command line; the flags for settings are judged later, by those who know the settings.

    Raises UsageError.
    """
    command, rest = (argv[0], argv[1:]) if argv and not argv[0].startswith("-") else ("run", argv)
    if command not in COMMANDS:
        raise UsageError(_unknown(command))
    known = COMMANDS[command]
    arguments: dict[str, Any] = {_name(flag): False for flag in known.switches}
    arguments |= dict.fromkeys([_name(flag) for flag in (*known.options, *known.words)])
    words = list(rest)
    for place in known.words:
        if words and not words[0].startswith("-"):
            arguments[_name(place)] = words.pop(0)
    flags: list[str] = []
    given: set[str] = set()
    while words:
        word = words.pop(0)
        flag, separator, value = word.partition("=")
        owners = [name for name, other in COMMANDS.items() if flag in other.flags]
        if flag in given:
            raise UsageError(f"{flag}: given twice")
        if command in owners:
            given.add(flag)
            arguments[_name(flag)] = _value(flag, separator, value, words) if flag in known.options else True
        if owners and command not in owners:
            raise UsageError(f"{flag}: belongs to {' and '.join(owners)}, not to {command}")
        if separator and flag in known.switches:
            raise UsageError(f"{flag}: takes no value")
        if not owners:
            flags.append(word)
    return Invocation(command, arguments, tuple(flags))


def _name(flag: str) -> str:
    return flag.removeprefix("--").lower()


def _value(flag: str, separator: str, value: str, words: list[str]) -> str:
    if not separator and (not words or words[0].startswith("--")):
        raise UsageError(f"{flag}: needs a value")
    found = value if separator else words.pop(0)
    if not found.strip():
        raise UsageError(f"{flag}: is empty")
    return found


def _unknown(command: str) -> str:
    from difflib import get_close_matches  # noqa: PLC0415  # only a mistake pays for it

    nearest = get_close_matches(command.lower(), COMMANDS, n=1)
    meant = f"did you mean {nearest[0]}?" if nearest else f"there are {', '.join(COMMANDS)}"
    return f"{command[:40]!r}: unknown command; {meant}"
