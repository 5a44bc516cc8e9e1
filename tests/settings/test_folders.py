"""Where the files of a user go."""

from pathlib import Path

import pytest

from app.settings.folders import state_home, user_folder
from tests.settings.trying import settings


@pytest.mark.parametrize(
    ("kind", "environ", "platform", "folder"),
    [
        ("data", {}, "linux", "~/.local/share/kafka-demo"),
        ("cache", {}, "linux", "~/.cache/kafka-demo"),
        ("data", {"XDG_DATA_HOME": "/x"}, "linux", "/x/kafka-demo"),
        ("cache", {"XDG_CACHE_HOME": "relative"}, "linux", "~/.cache/kafka-demo"),
        ("data", {"XDG_DATA_HOME": "/x"}, "darwin", "~/Library/Application Support/kafka-demo"),
        ("cache", {}, "darwin", "~/Library/Caches/kafka-demo"),
    ],
)
def test_where_a_user_s_files_go(kind: str, environ: dict[str, str], platform: str, folder: str) -> None:
    assert user_folder(kind, environ, platform) == Path(folder).expanduser()


def test_state_lies_below_the_user_s_data_unless_it_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_DATA_HOME", "/x")
    assert state_home(settings({}).streams).name == "streams"
    assert state_home(settings({"APP_STREAMS__STATE_DIR": "/y/state"}).streams) == Path("/y/state")
    assert state_home(settings({"APP_STREAMS__STATE_DIR": "state"}).streams) == Path.cwd() / "state"
