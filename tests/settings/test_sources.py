"""Where values come from, and who wins."""

import os
from pathlib import Path

import pytest

from app.settings import load
from app.settings.variables import ALIASES, SETTINGS
from tests.settings.trying import faults, settings


def test_a_stronger_source_wins(directory: Path) -> None:
    # each row takes the strongest source away
    secrets = directory / "secrets"
    secrets.mkdir()
    (secrets / "kafka__topic").write_text("from-secrets")
    environ = {"APP_KAFKA__TOPIC": "from-app", "KAFKA_TOPIC": "from-kafka", "APP_SECRETS_DIR": str(secrets)}
    (directory / ".env").write_text("KAFKA_TOPIC=from-dotenv-kafka\nAPP_KAFKA__TOPIC=from-dotenv-app\n")

    assert settings(environ, ["--kafka-topic", "from-flag"]).kafka.topic == "from-flag"
    assert settings(environ).kafka.topic == "from-app"
    del environ["APP_KAFKA__TOPIC"]
    assert settings(environ).kafka.topic == "from-kafka"
    del environ["KAFKA_TOPIC"]
    assert settings(environ).kafka.topic == "from-dotenv-app"
    (directory / ".env").write_text("KAFKA_TOPIC=from-dotenv-kafka\n")
    assert settings(environ).kafka.topic == "from-dotenv-kafka"
    (directory / ".env").unlink()
    assert settings(environ).kafka.topic == "from-secrets"
    (secrets / "kafka__topic").unlink()
    assert settings(environ).kafka.topic == "numtest1"


def test_sources_meet_in_one_section(directory: Path) -> None:
    (directory / ".env").write_text("APP_KAFKA__PARTITIONS=3\n")
    kafka = settings({"KAFKA_CLIENT_ID": "me", "APP_KAFKA__TOPIC": "t"}, ["--kafka-request-timeout-ms=9"]).kafka
    assert (kafka.client_id, kafka.topic, kafka.partitions, kafka.request_timeout_ms) == ("me", "t", 3, 9)


def test_every_setting_says_where_it_came_from(directory: Path) -> None:
    (directory / ".env").write_text("# of the developer\n\n\nexport APP_LOG__LEVEL='DEBUG' # loud\n")
    (directory / "group").write_text("readers\n")
    environ = {"KAFKA_TOPIC": "orders", "app_http__port": "80", "KAFKA_GROUP_ID_FILE": "group"}
    loaded = load(["--roles", "c"], environ)

    assert set(loaded.origins) == {setting.path for setting in SETTINGS}
    assert {path: origin for path, origin in loaded.origins.items() if origin != "default"} == {
        "roles": "flag --roles",
        "kafka.topic": "environment KAFKA_TOPIC",
        "http.port": "environment app_http__port",
        "c.group_id": "file group (environment KAFKA_GROUP_ID_FILE)",
        "log.level": ".env:4 APP_LOG__LEVEL",
    }
    assert (loaded.was_set("http.port"), loaded.was_set("http.host")) == (True, False)
    assert loaded.files == {"c.group_id": Path("group")}
    assert loaded.settings.c.group_id == "readers"


def test_every_alias_fills_its_setting() -> None:
    for path, alias in ALIASES.items():
        assert f"{alias}:" in "\n".join(faults({alias: ""})), path


def test_every_variable_can_be_read_from_a_file(directory: Path) -> None:
    (directory / "empty").write_text("\n")
    for setting in SETTINGS:
        if setting.default != "":  # that one may be empty
            name = f"{setting.variable}_FILE"
            assert f"{name}: is set but empty" in "\n".join(faults({name: "empty"}))


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\n\n"])
def test_the_line_end_of_a_file_is_not_part_of_a_secret(directory: Path, end: str) -> None:
    (directory / "password").write_bytes(f" correct horse {end}".encode())
    environ = {
        "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
        "KAFKA_SECURITY_PROTOCOL": "SASL_PLAINTEXT",
        "KAFKA_SASL_USERNAME": "ann",
        "KAFKA_SASL_PASSWORD_FILE": str(directory / "password"),
    }
    loaded = load([], environ)
    assert loaded.settings.kafka.sasl_password is not None
    assert loaded.settings.kafka.sasl_password.get_secret_value() == " correct horse "
    assert loaded.files["kafka.sasl_password"] == directory / "password"


def test_a_variable_and_its_file_together_are_refused(directory: Path) -> None:
    (directory / "topic").write_text("orders")
    assert faults({"APP_KAFKA__TOPIC": "orders", "APP_KAFKA__TOPIC_FILE": "topic"}) == [
        "APP_KAFKA__TOPIC: is set together with APP_KAFKA__TOPIC_FILE; keep one"
    ]
    assert faults({"KAFKA_TOPIC_FILE": "topic", "KAFKA_TOPIC": "orders"}) == [
        "KAFKA_TOPIC: is set together with KAFKA_TOPIC_FILE; keep one"
    ]
    assert settings({"APP_KAFKA__TOPIC_FILE": "topic", "KAFKA_TOPIC": "weaker"}).kafka.topic == "orders"


def test_one_name_in_two_cases_is_refused() -> None:
    assert faults({"APP_ROLES": "a", "app_roles": "b"}) == ["APP_ROLES: is set together with app_roles; keep one"]


def test_a_file_that_cannot_be_read_is_one_line(directory: Path) -> None:
    (directory / "latin").write_bytes(b"gr\xfc\xdfe")
    (directory / "large").write_bytes(b"x" * (1024 * 1024 + 1))
    (directory / "open").write_text("secret")
    (directory / "open").chmod(0o666)
    name = "KAFKA_SASL_PASSWORD_FILE"
    here = str(directory)
    assert faults({name: f"{here}/no"}) == [f"{name}: cannot read {here}/no: No such file or directory"]
    assert faults({name: f"{here}/latin"}) == [f"{name}: cannot read {here}/latin: not UTF-8 text"]
    assert faults({name: f"{here}/large"}) == [f"{name}: cannot read {here}/large: larger than 1 MiB"]
    assert faults({name: here}) == [f"{name}: cannot read {here}: Is a directory"]
    assert faults({name: f"{here}/open"}) == [
        f"{name}: cannot read {here}/open: everyone on this machine may write to it; chmod o-w"
    ]
    assert faults({name: ""}) == [f"{name}: is set but empty; give the path of a file, or unset it"]


@pytest.mark.parametrize("value", ["hunter2", "/hunter2", "hunter/2", "/no/such/hunter2", "hunter2\0", "../hunter2"])
def test_a_secret_in_place_of_its_path_is_not_repeated(value: str) -> None:
    (line,) = faults({"KAFKA_SASL_PASSWORD_FILE": value})
    assert "hunter" not in line
    assert line.startswith("KAFKA_SASL_PASSWORD_FILE: cannot read the file: ")
    assert line.endswith("the value must be a path, and is not repeated as it may be the secret itself")


@pytest.mark.parametrize(
    "name",
    ["kafka__topic", "kafka/topic", "APP_KAFKA__TOPIC", "app_kafka__topic", "KAFKA_TOPIC", "KAFKA/Topic"],
)
def test_a_secrets_directory_has_files_named_after_settings(directory: Path, name: str) -> None:
    path = directory / "secrets" / name
    path.parent.mkdir(parents=True)
    path.write_text("orders\n")
    loaded = load([], {"APP_SECRETS_DIR": str(directory / "secrets")})
    assert loaded.settings.kafka.topic == "orders"
    assert loaded.origins["kafka.topic"] == f"file {path}"
    assert loaded.files["kafka.topic"] == path


def test_a_secrets_directory_as_kubernetes_mounts_it(directory: Path) -> None:
    secrets = directory / "secrets"
    (secrets / "..2026_11_22").mkdir(parents=True)
    (secrets / "..2026_11_22" / "kafka__topic").write_text("orders")
    (secrets / "..data").symlink_to("..2026_11_22")
    (secrets / "kafka__topic").symlink_to("..data/kafka__topic")
    (secrets / "database-password").write_text("of another program")
    (secrets / "kafka").mkdir()
    (secrets / "kafka" / "user.p12").write_text("of an operator")
    assert settings({"APP_SECRETS_DIR": str(secrets)}).kafka.topic == "orders"


def test_a_secrets_directory_may_be_missing_and_named_in_dotenv(directory: Path) -> None:
    (directory / ".env").write_text("APP_SECRETS_DIR=secrets\n")
    assert settings({}).kafka.topic == "numtest1"
    (directory / "secrets").mkdir()
    (directory / "secrets" / "roles").write_text('["c"]')
    assert settings({}).roles == ("c",)


def test_a_misnamed_secret_is_refused(directory: Path) -> None:
    secrets = directory / "secrets"
    (secrets / "kafka").mkdir(parents=True)
    environ = {"APP_SECRETS_DIR": str(secrets)}
    for name, meant in [
        ("kafka__sasl_pasword", "; did you mean kafka__sasl_password?"),
        ("kafka/sasl_pasword", "; did you mean kafka__sasl_password?"),
        ("app_xyzzy", ""),
        ("http__xyzzy", ""),
    ]:
        (secrets / name).write_text("canary")
        assert faults(environ) == [f"{secrets / name}: holds no known setting{meant}"]
        (secrets / name).unlink()


def test_a_setting_given_twice_in_a_secrets_directory_is_refused(directory: Path) -> None:
    secrets = directory / "secrets"
    secrets.mkdir()
    (secrets / "KAFKA_TOPIC").write_text("one")
    (secrets / "kafka__topic").write_text("two")
    assert faults({"APP_SECRETS_DIR": str(secrets)}) == [
        f"{secrets}/kafka__topic: given in {secrets}/KAFKA_TOPIC too; keep one"
    ]


def test_a_secrets_directory_that_is_none_is_refused(directory: Path) -> None:
    (directory / "file").write_text("")
    assert faults({"APP_SECRETS_DIR": "file"}) == ["APP_SECRETS_DIR: is not a directory"]
    assert faults({"APP_SECRETS_DIR": ""}) == ["APP_SECRETS_DIR: is set but empty; give a directory, or unset it"]


def test_dotenv_faults_name_file_and_line(directory: Path) -> None:
    (directory / ".env").write_text(
        "# comment\n"
        "\n"
        "APP_KAFAK__TOPIC=x\n"
        "KAFKA_SASL_MECHANISMS=PLAIN\n"
        "APP_KAFKA__SASL_PASSWORD='canary\n"
        "\n"
        "APP_LOG__LEVEL\n"
        "APP_HTTP__PORT=http\n"
        "APP_ROLES=a\n"
        "APP_ROLES=b\n"
    )
    assert faults({}) == [
        ".env:5: is not NAME=value",
        ".env:3: APP_KAFAK__TOPIC: is not a setting; did you mean APP_KAFKA__TOPIC?",
        ".env:7: APP_LOG__LEVEL: has no value",
        ".env:9: APP_ROLES: is set together with .env:10: APP_ROLES; keep one",
        ".env:4: KAFKA_SASL_MECHANISMS: is not a setting; did you mean KAFKA_SASL_MECHANISM?",
        ".env:8: APP_HTTP__PORT: must be a whole number (got 'http')",
    ]


def test_dotenv_may_hold_what_other_programs_read(directory: Path) -> None:
    (directory / ".env").write_text(
        "KAFKA_IMAGE=apache/kafka:4.3.1\nCOMPOSE_PROJECT_NAME=x\nJUST_A_NAME\nKAFKA_TOPIC=t\n"
    )
    assert settings({}).kafka.topic == "t"


def test_dotenv_leaves_dollars_alone(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLIENT", "expanded")
    (directory / ".env").write_text("APP_KAFKA__CLIENT_ID=${CLIENT}-$1\n")
    assert settings({}).kafka.client_id == "${CLIENT}-$1"


def test_dotenv_is_read_from_the_working_directory_only(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (directory / ".env").write_text("KAFKA_TOPIC=t\n")
    (directory / "below").mkdir()
    monkeypatch.chdir(directory / "below")
    assert settings({}).kafka.topic == "numtest1"


def test_dotenv_that_cannot_be_read_is_one_line(directory: Path) -> None:
    (directory / ".env").write_bytes(b"APP_ROLES=\xff\n")
    assert faults({}) == [".env: cannot be read: not UTF-8 text"]
    (directory / ".env").unlink()
    (directory / ".env").mkdir()
    assert faults({}) == [".env: cannot be read: Is a directory"]


def test_the_process_environment_is_not_read_behind_our_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(os.environ, "APP_KAFKA__TOPIC", "stolen")
    monkeypatch.setitem(os.environ, "KAFKA", '{"topic": "stolen"}')
    monkeypatch.setitem(os.environ, "ROLES", '["c"]')
    assert settings({}).kafka.topic == "numtest1"
    assert settings({}).roles == ("a", "b", "c", "streams")
