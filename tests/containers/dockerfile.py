"""Reads the Dockerfile."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Instructions:
    """(keyword, arguments) of each instruction, of all stages and of the last, which is the image."""

    all: tuple[tuple[str, str], ...]
    last: tuple[tuple[str, str], ...]

    def only(self, keyword: str) -> str:
        """The arguments of the one instruction of that name in the image."""
        [arguments] = [arguments for name, arguments in self.last if name == keyword]
        return arguments

    @property
    def env(self) -> list[str]:
        """NAME=value of the image."""
        return shlex.split(self.only("ENV"))


def instructions() -> Instructions:
    text = re.sub(r"^#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.MULTILINE)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    found = tuple((keyword, arguments) for keyword, _, arguments in (line.partition(" ") for line in lines if line))
    last = max(at for at, (keyword, _) in enumerate(found) if keyword == "FROM")
    return Instructions(found, found[last:])
