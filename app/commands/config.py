"""`python -m app config`: the settings in effect, where each came from, secrets starred.

The output is itself a `.env`: what was given stands as NAME=value, a secret as the file it was read from where there
is one, and defaults are comments.
"""

import json
from collections.abc import Iterator

from app.errors import ExitCode
from app.settings.loading import DEFAULT, Loaded
from app.settings.variables import SETTINGS, STARS, Setting, written


def run(loaded: Loaded, *, json: bool = False) -> ExitCode:
    print(as_json(loaded) if json else "\n".join(as_lines(loaded)), flush=True)
    return ExitCode.OK


def as_lines(loaded: Loaded) -> Iterator[str]:
    section = None
    for setting in SETTINGS:
        if setting.section != section:
            section = setting.section
            yield from (f"# {section}",) if setting is SETTINGS[0] else ("", f"# {section}")
        yield f"{_assignment(setting, loaded):60}  # {_origin(setting, loaded)}"


def as_json(loaded: Loaded) -> str:
    return _dumped(
        {
            setting.path: {
                "variable": setting.variable,
                "value": value(setting, loaded),
                "origin": loaded.origins[setting.path],
            }
            for setting in SETTINGS
        }
    )


def value(setting: Setting, loaded: Loaded) -> str | None:
    """As one would write it; stars for a secret, None for unset."""
    found: object = loaded.settings
    for key in setting.keys:
        found = getattr(found, key)
    return written(found)


def _assignment(setting: Setting, loaded: Loaded) -> str:
    text = value(setting, loaded)
    if not loaded.was_set(setting.path):
        return f"# {setting.variable}={_quoted(text or '')}"
    if setting.secret and setting.path in loaded.files:
        return f"{setting.variable}_FILE={_quoted(str(loaded.files[setting.path]))}"
    if setting.secret:
        return f"# {setting.variable}={STARS}"
    return f"{setting.variable}={_quoted(text or '')}"


def _origin(setting: Setting, loaded: Loaded) -> str:
    origin = loaded.origins[setting.path]
    return "default: unset" if origin == DEFAULT and setting.default is None else origin


def _quoted(text: str) -> str:
    """As `.env` reads it back."""
    if text and all(letter.isalnum() or letter in "_-.,:/+@%=[]" for letter in text):
        return text
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'" if text else ""


def _dumped(content: object) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)
