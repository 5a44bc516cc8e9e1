import json
from pathlib import Path

import pytest

from app.commands.config import as_json, as_lines, run
from app.settings import load
from app.settings.variables import SETTINGS


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


LOGIN = {
    "KAFKA_BOOTSTRAP_SERVERS": '["localhost:9092", "[::1]:9092"]',
    "KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
    "KAFKA_SASL_USERNAME": "an'n \\' \"#1\" $HOME = ü \\",
}


def line(lines: list[str], variable: str) -> str:
    (found,) = [line for line in lines if line.removeprefix("# ").startswith(f"{variable}=")]
    return " ".join(found.split())


def test_shows_the_value_in_effect_and_its_source(directory: Path) -> None:
    (directory / ".env").write_text("APP_LOG__LEVEL=debug\n")
    environ = LOGIN | {"KAFKA_SASL_PASSWORD": "canary", "APP_KAFKA__TOPIC": "orders", "KAFKA_TOPIC": "weaker"}
    lines = list(as_lines(load(["--http-port=0"], environ)))

    assert line(lines, "APP_KAFKA__TOPIC") == "APP_KAFKA__TOPIC=orders # environment APP_KAFKA__TOPIC"
    assert line(lines, "APP_KAFKA__SECURITY_PROTOCOL").endswith("=SASL_SSL # environment KAFKA_SECURITY_PROTOCOL")
    assert line(lines, "APP_HTTP__PORT") == "APP_HTTP__PORT=0 # flag --http-port"
    assert line(lines, "APP_LOG__LEVEL") == "APP_LOG__LEVEL=DEBUG # .env:1 APP_LOG__LEVEL"
    assert line(lines, "APP_KAFKA__PARTITIONS") == "# APP_KAFKA__PARTITIONS=6 # default"
    assert line(lines, "APP_A__COUNT") == "# APP_A__COUNT= # default: unset"
    assert line(lines, "APP_KAFKA__SASL_PASSWORD") == (
        "# APP_KAFKA__SASL_PASSWORD=******** # environment KAFKA_SASL_PASSWORD"
    )
    assert "canary" not in "\n".join(lines)


def test_every_setting_has_its_line() -> None:
    lines = list(as_lines(load([], {})))
    for setting in SETTINGS:
        assert line(lines, setting.variable)


def test_the_output_is_a_dotenv_file(directory: Path) -> None:
    (directory / "password").write_text("canary")
    environ = LOGIN | {"KAFKA_SASL_PASSWORD_FILE": "password", "APP_ROLES": "c", "APP_HTTP__ALLOWED_HOSTS": ""}
    first = load(["--a-interval=0.5", "--kafka-allow-plain-password"], environ)

    (directory / ".env").write_text("\n".join(as_lines(first)))
    second = load([], {})

    assert second.settings == first.settings
    assert {path for path in second.origins if second.was_set(path)} == {
        path for path in first.origins if first.was_set(path)
    }
    assert second.origins["kafka.sasl_password"].startswith("file password (.env:")


def test_json_has_every_setting_by_its_path() -> None:
    content = json.loads(as_json(load([], LOGIN | {"APP_KAFKA__SASL_PASSWORD": "canary"})))
    assert set(content) == {setting.path for setting in SETTINGS}
    assert content["kafka.sasl_password"] == {
        "variable": "APP_KAFKA__SASL_PASSWORD",
        "value": "********",
        "origin": "environment APP_KAFKA__SASL_PASSWORD",
    }
    assert content["kafka.bootstrap_servers"]["value"] == "localhost:9092,[::1]:9092"
    assert content["a.count"] == {"variable": "APP_A__COUNT", "value": None, "origin": "default"}


def test_prints_and_succeeds(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(load([], {})) == 0
    assert "# APP_ROLES=a,b,c,streams" in capsys.readouterr().out
    assert run(load([], {}), json=True) == 0
    assert json.loads(capsys.readouterr().out)["roles"]["origin"] == "default"
