from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory: nobody's `.env` may take part."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
