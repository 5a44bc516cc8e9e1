"""The lists of deliberate breaks in `breaks/`: what to change where, as data."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

LISTS = Path(__file__).parent / "breaks"


@dataclass(frozen=True, slots=True)
class Break:
    """One change of meaning: `old`, which stands in `file` exactly once, becomes `new`."""

    name: str
    file: str
    old: str
    new: str

    def fault(self, root: Path) -> str | None:
        """Why it cannot be made, or None."""
        path = root / self.file
        if not path.exists():
            return f"there is no {self.file}"
        found = path.read_text().count(self.old)
        return None if found == 1 else f"its text stands {found} times in {self.file}"

    def make(self, root: Path) -> None:
        path = root / self.file
        path.write_text(path.read_text().replace(self.old, self.new))


def breaks() -> list[Break]:
    return [Break(**each) for path in sorted(LISTS.glob("*.toml")) for each in tomllib.loads(path.read_text())["break"]]
