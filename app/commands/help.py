"""`python -m app [command] --help`."""

from collections.abc import Iterator
from textwrap import wrap
from typing import Final

from app.commands import COMMANDS
from app.settings.variables import SECRETS_DIRECTORY, SETTINGS, Setting

_WIDTH: Final = 120
_STUCK: Final = "\N{NO-BREAK SPACE}"
_RULES = f"""\
A setting is taken from the first of these that gives it: a flag, its APP_… variable, its KAFKA_… variable, the file
.env of the working directory, a file of that name in the directory {SECRETS_DIRECTORY}, the default.
NAME_FILE=path reads the value of any variable NAME from a file. Lists are a,b or ["a", "b"]."""


_PROBED = ("http.host", "http.port")
"""What `health` looks at, in flags and environment only: it has no time for more."""


def show(command: str | None) -> None:
    print("\n".join(lines(command)), flush=True)


def lines(command: str | None) -> Iterator[str]:
    """Help on one command, or on all."""
    yield f"python -m app {command or '[command]'} [flags]"
    yield ""
    if command is None:
        yield "Commands"
        yield from (f"  {name:8}  {each.summary}" for name, each in COMMANDS.items())
        yield ""
    else:
        yield f"  {COMMANDS[command].summary}"
        yield ""
    if command is not None and COMMANDS[command].words:
        yield "Words after the command"
        for place, meaning in COMMANDS[command].words.items():
            yield from _hanging(f"  {place:12}  {meaning}")
        yield ""
    yield "Flags"
    for name, each in COMMANDS.items():
        if command in (None, name):
            for flag, meaning in each.flags.items():
                yield from _hanging(f"  {flag:12}  {meaning}" + ("" if command else f" ({name})"))
    yield "  --help, -h    show this; after a command, for that command"
    yield "  --version     show the version"
    yield ""
    if command == "health":
        yield "Of the settings it reads two, from flags and APP_… variables only."
        settings = [setting for setting in SETTINGS if setting.path in _PROBED]
    else:
        yield _RULES
        settings = list(SETTINGS)
    section = None
    for setting in settings:
        if setting.section != section:
            section = setting.section
            yield ""
            yield section
        yield from _described(setting)


def _hanging(line: str) -> list[str]:
    """Within the width, continued below the meaning."""
    return wrap(line, _WIDTH, subsequent_indent=" " * 16, replace_whitespace=False, break_on_hyphens=False)


def _described(setting: Setting) -> Iterator[str]:
    names = [setting.flag or "(no flag: a secret)", setting.variable]
    if setting.alias is not None:
        names.append(setting.alias)
    yield f"  {'  '.join(names)}"
    default = "unset" if setting.default in (None, "") else setting.default
    allowed = f"{setting.allowed}; " if setting.allowed else ""
    bounds = f"[{allowed}default: {default}]".replace(" ", _STUCK)
    lines = wrap(f"      {setting.description} {bounds}", _WIDTH, subsequent_indent=" " * 6, break_on_hyphens=False)
    yield from (line.replace(_STUCK, " ") for line in lines)
