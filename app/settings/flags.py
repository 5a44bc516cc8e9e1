"""Command-line flags → settings: `--kafka-topic orders`, `--kafka-topic=orders`."""

from collections.abc import Collection, Sequence

from app.errors import UsageError
from app.settings.given import Given, Layer, printable
from app.settings.variables import BY_FLAG, SETTINGS, Setting, closest

_SECRETS = {"--" + "-".join(setting.keys).replace("_", "-"): setting for setting in SETTINGS if setting.secret}


def parse(argv: Sequence[str], switches: Collection[str] = ()) -> Layer:
    """What the flags give. `switches` are flags that the command has besides, for suggestions.

    Raises UsageError at the first fault. Only the names of flags are repeated: what follows may be a secret.
    """
    layer: dict[str, Given] = {}
    rest = list(argv)
    while rest:
        flag, separator, text = rest.pop(0).partition("=")
        if not flag.startswith("-"):
            raise UsageError("a word too many", try_next="a command comes first, and every value follows its --flag")
        setting = BY_FLAG.get(flag)
        if setting is None:
            raise UsageError(_unknown(flag, switches))
        if not separator:
            text = _value(flag, setting, rest)
        if setting.path in layer:
            raise UsageError(f"{flag}: given twice")
        layer[setting.path] = Given(setting, text, flag, f"flag {flag}")
    return layer


def _value(flag: str, setting: Setting, rest: list[str]) -> str:
    if setting.switch and (not rest or rest[0].startswith("--")):
        return "true"
    if not rest or rest[0].startswith("--"):
        raise UsageError(f"{flag}: needs a value")
    return rest.pop(0)


def _unknown(flag: str, switches: Collection[str]) -> str:
    if flag in _SECRETS:
        variable = _SECRETS[flag].variable
        return f"{flag}: a secret is not taken from the command line, where others can read it; set {variable}_FILE"
    nearest = closest(flag, [*BY_FLAG, *_SECRETS, *switches])
    if nearest in _SECRETS:
        return f"{printable(flag)}: unknown flag; a secret is set with {_SECRETS[nearest].variable}_FILE"
    if not flag.startswith("--"):
        flag = flag[:2]  # mysql's -psecret is a habit
    meant = f"did you mean {nearest}?" if nearest else "python -m app --help lists them"
    return f"{printable(flag)}: unknown flag; {meant}"
