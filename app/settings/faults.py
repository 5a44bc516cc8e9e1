"""What pydantic found wrong → one line for each fault, under the name that the user wrote."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

from pydantic import ValidationError

from app.settings.given import Given, shown
from app.settings.types import split
from app.settings.variables import BY_PATH, Setting, closest

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_MESSAGES = {
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number, and a shorter one",
    "int_from_float": "must be a whole number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_parsing": "must be true or false",
    "string_type": "must be text",
    "string_unicode": "must be UTF-8 text",
}


def of_values(error: ValidationError, given: Mapping[str, Given]) -> list[str]:
    """One line a fault. pydantic's own copy of the input is never asked for: it holds secrets in clear."""
    return [_line(fault, given) for fault in error.errors(include_url=False, include_input=False)]


def of_empty(given: Given) -> str:
    if given.setting.path == "kafka.bootstrap_servers":
        return f"{given.name}: is set but empty; give host:port, or unset it for a private Kafka on this machine"
    return f"{given.name}: is set but empty; unset it for the default"


def _line(fault: "ErrorDetails", given: Mapping[str, Given]) -> str:
    keys = [str(key) for key in fault["loc"]]
    path = next(".".join(keys[:length]) for length in (2, 1) if ".".join(keys[:length]) in BY_PATH)
    source = given[path]
    message = _message(fault, source.setting)
    if source.setting.secret:
        return f"{source.name}: {message}"
    text = _entry(source, fault["loc"][-1])
    nearest = closest(text, source.setting.choices) if source.setting.choices else None
    meant = f"; did you mean {nearest}?" if nearest else ""
    return f"{source.name}: {message} (got {shown(text)}){meant}"


def _message(fault: "ErrorDetails", setting: Setting) -> str:
    kind, context = fault["type"], fault.get("ctx", {})
    if kind == "setting":
        return str(context["text"])
    if kind == "literal_error":
        return f"must be {'from' if setting.listed else 'one of'} {', '.join(setting.choices)}"
    if kind in ("greater_than_equal", "less_than_equal"):
        return f"must be {'from ' if ' to ' in setting.allowed else ''}{setting.allowed}"
    if kind in _MESSAGES:
        return _MESSAGES[kind]
    return fault["msg"][:1].lower() + fault["msg"][1:]


def _entry(given: Given, index: int | str) -> str:
    """The text at fault: of a list, the entry that pydantic points to."""
    return str(split(given.text)[index]) if isinstance(index, int) else given.text
