"""Values that are kept in files: `…_FILE` variables and the secrets directory."""

import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from app.settings.given import Given, Layer, printable
from app.settings.variables import BY_ALIAS, BY_VARIABLE, SETTINGS, Setting, closest

_LARGEST: Final = 1024 * 1024
_NAMES: Final = {name.lower(): setting for name, setting in (BY_VARIABLE | BY_ALIAS).items()} | {
    "__".join(setting.keys).lower(): setting for setting in SETTINGS
}
_SECTIONS: Final = {setting.keys[0] for setting in SETTINGS if len(setting.keys) > 1}


class Unreadable(Exception):
    """`str()` says why, without the path and without a byte of the content."""


def content(path: Path, *, secret: bool) -> str:
    """The text of a file, without the line end that editors and `echo` put after it."""
    try:
        with path.open("rb") as stream:
            mode = path.stat().st_mode
            data = stream.read(_LARGEST + 1)
    except OSError as error:
        raise Unreadable(error.strerror or type(error).__name__) from None
    except ValueError:  # a NUL in the path
        raise Unreadable("not a path") from None
    if len(data) > _LARGEST:
        raise Unreadable("larger than 1 MiB")
    if secret and stat.S_ISREG(mode) and mode & stat.S_IWOTH:
        raise Unreadable("everyone on this machine may write to it; chmod o-w")
    try:
        return data.decode("utf-8-sig").rstrip("\r\n")
    except UnicodeDecodeError:
        raise Unreadable("not UTF-8 text") from None


def unread(path: str, why: Unreadable) -> str:
    """Says which file could not be read.

    People put the secret itself where its path belongs. So a path is repeated only if its directory exists.
    """
    parent = Path(path).parent
    try:
        plausible = "/" in path and parent.is_absolute() and parent != Path("/") and parent.is_dir()
    except (OSError, ValueError):
        plausible = False
    if plausible:
        return f"cannot read {printable(path)}: {why}"
    return f"cannot read the file: {why}; the value must be a path, and is not repeated as it may be the secret itself"


def secrets_directory(directory: Path) -> tuple[Layer, list[str]]:
    """The files of a secrets directory: `kafka__sasl_password`, `kafka/sasl_password` or a variable's full name.

    Case does not matter. A directory that is not there is an empty one. What is not ours is left alone, unless its
    name says that it was meant to be.
    """
    layer: dict[str, Given] = {}
    faults: list[str] = []
    try:
        for path, name in _candidates(directory):
            setting = _NAMES.get(name)
            if setting is None:
                faults += _misnamed(path, name)
            elif setting.path in layer:
                faults.append(f"{printable(str(path))}: given in {layer[setting.path].name} too; keep one")
            else:
                _take(path, setting, layer, faults)
    except OSError as error:
        faults.append(f"APP_SECRETS_DIR: cannot read {printable(str(error.filename))}: {error.strerror}")
    return layer, faults


def _candidates(directory: Path) -> Iterator[tuple[Path, str]]:
    """Files with the names they stand for, in lower case. Kubernetes keeps its own in `..data` and the like."""
    if not directory.exists():
        return
    for entry in sorted(directory.iterdir()):
        if entry.name.startswith("."):
            continue
        if not entry.is_dir():
            yield entry, entry.name.lower()
        elif entry.name.lower() in _SECTIONS:
            for nested in sorted(entry.iterdir()):
                if not nested.name.startswith(".") and not nested.is_dir():
                    yield nested, f"{entry.name}__{nested.name}".lower()


def _take(path: Path, setting: Setting, layer: dict[str, Given], faults: list[str]) -> None:
    name = printable(str(path))
    try:
        layer[setting.path] = Given(setting, content(path, secret=setting.secret), name, f"file {name}", path)
    except Unreadable as why:
        faults.append(f"{name}: cannot be read: {why}")


def _misnamed(path: Path, name: str) -> list[str]:
    """A name that is nearly ours. A directory per section may hold more, such as what an operator put there."""
    nearest = closest(name, list(_NAMES), likeness=0.85)
    ours = name.startswith("app_") or (path.parent.name.lower() not in _SECTIONS and _prefixed(name))
    if not ours and nearest is None:
        return []
    meant = f"; did you mean {nearest}?" if nearest else ""
    return [f"{printable(str(path))}: holds no known setting{meant}"]


def _prefixed(name: str) -> bool:
    return any(name.startswith(f"{section}__") for section in _SECTIONS)
