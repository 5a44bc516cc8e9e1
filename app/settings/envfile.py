"""The file `.env` of the working directory, for development: NAME=value lines, `#` comments, quotes, no `${…}`."""

import io
from pathlib import Path

from dotenv.parser import Binding, parse_stream

from app.settings.environment import Variable
from app.settings.files import Unreadable, content


def read_lines(path: Path) -> tuple[list[Variable], list[str]]:
    """The variables of a file and its faults; both empty when there is none."""
    if not path.exists():
        return [], []
    try:
        text = content(path, secret=False)
    except Unreadable as why:
        return [], [f"{path}: cannot be read: {why}"]
    variables, faults = [], []
    for binding in parse_stream(io.StringIO(text)):
        where = f"{path}:{_line(binding)}"
        if binding.error:
            faults.append(f"{where}: is not NAME=value")  # not repeated: it may hold a secret
        elif binding.key is not None:
            variables.append(Variable(binding.key, binding.value, where))
    return variables, faults


def _line(binding: Binding) -> int:
    """The parser counts from the blank lines before."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
