"""A secret is never shown: not by a fault, a traceback, a repr, `config` or a log, wherever it stood."""

import logging
import traceback
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as examples
from hypothesis import strategies as st

from app.commands.config import as_json, as_lines
from app.errors import ServiceError
from app.settings import load
from app.settings.variables import SETTINGS, Setting
from tests.settings.trying import faults, settings

CANARY = "c4n4ry"
SECRETS = [setting for setting in SETTINGS if setting.secret]
OTHERS = [setting for setting in SETTINGS if not setting.secret]

# A secret that is right, cannot be encoded, has control characters, is a path, a URL, JSON, or has quotes.
FORMS = [
    "{}",
    "{}\udcff",
    "{}\n{}",
    "{}\0",
    "/{}",
    "/no/such/{}",
    "./{}/x",
    "https://me:{}@x/",
    '["{}"]',
    "'{}",
    " {} ",
]
canaries = st.sampled_from([form.replace("{}", CANARY) for form in FORMS])
values = st.sampled_from(
    ["", "x", "nan", "-1", "localhost:9092", "SASL_SSL", "SASL_PLAINTEXT", "OAUTHBEARER", "a,b", "true"]
)
places = st.sampled_from(["variable", "alias", "file variable", "file", "dotenv", "flag", "secrets directory", "typo"])


class Outside:
    """Everything that the program is given."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.environ: dict[str, str] = {}
        self.argv: list[str] = []
        self.dotenv: list[str] = []
        for path in directory.rglob("*"):
            if path.is_file():
                path.unlink()
        (directory / "secrets").mkdir(exist_ok=True)

    def give(self, setting: Setting, place: str, value: str) -> None:
        file = self.directory / "secrets" / setting.path.replace(".", "__")
        dashed = "--" + setting.path.replace(".", "-").replace("_", "-")
        match place:
            case "variable":
                self.environ[setting.variable] = value
            case "alias":
                self.environ[setting.alias or setting.variable] = value
            case "file variable":
                self.environ[f"{setting.variable}_FILE"] = value
            case "file":
                (self.directory / "file").write_text(value, errors="surrogatepass")
                self.environ[f"{setting.variable}_FILE"] = str(self.directory / "file")
            case "dotenv":
                self.dotenv.append(f"{setting.variable}={value}")
            case "flag":
                self.argv += [dashed, value]
            case "secrets directory":
                self.environ["APP_SECRETS_DIR"] = str(file.parent)
                file.write_text(value, errors="surrogatepass")
            case "typo":
                self.environ[f"{setting.variable}X"] = value

    def seen(self) -> str:
        """All that a user could come to see."""
        (self.directory / ".env").write_text("\n".join(self.dotenv), errors="surrogatepass")
        try:
            loaded = load(self.argv, self.environ)
        except ServiceError as error:
            told = [str(error), repr(error), "".join(traceback.format_exception(error))]
            chain = error.__cause__ or error.__context__
            return "\n".join([*told, repr(chain)])
        return "\n".join([*as_lines(loaded), as_json(loaded), repr(loaded), str(loaded.settings)])


@examples(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    secrets=st.lists(st.tuples(st.sampled_from(SECRETS), places, canaries), min_size=1, max_size=4),
    others=st.lists(st.tuples(st.sampled_from(OTHERS), places, values), max_size=6),
)
@example(
    secrets=[(SECRETS[1], "alias", CANARY)],
    others=[
        (next(setting for setting in OTHERS if setting.path == path), "variable", value)
        for path, value in {
            "kafka.bootstrap_servers": "localhost:9092",
            "kafka.security_protocol": "SASL_SSL",
            "kafka.sasl_username": "ann",
        }.items()
    ],
)
def test_no_canary_is_ever_seen(
    directory: Path,
    caplog: pytest.LogCaptureFixture,
    secrets: list[tuple[Setting, str, str]],
    others: list[tuple[Setting, str, str]],
) -> None:
    caplog.set_level(logging.DEBUG)
    outside = Outside(directory)
    for setting, place, value in (*secrets, *others):
        outside.give(setting, place, value)
    assert CANARY not in outside.seen()
    assert CANARY not in caplog.text


LOGIN = {
    "KAFKA_BOOTSTRAP_SERVERS": "localhost:9092",
    "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
    "KAFKA_SASL_USERNAME": "ann",
    "KAFKA_SASL_PASSWORD": CANARY,
}


def test_the_secret_is_there_all_the_same() -> None:
    password = settings(LOGIN).kafka.sasl_password
    assert password is not None
    assert password.get_secret_value() == CANARY


def test_the_debug_log_of_pydantic_settings_shows_stars(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PYDANTIC_SETTINGS_DEBUG", "1")
    caplog.set_level(logging.DEBUG)
    assert settings(LOGIN).kafka.sasl_username == "ann"
    assert "'sasl_username': 'ann'" in caplog.text  # it did log
    assert "'sasl_password': SecretStr('**********')" in caplog.text
    assert CANARY not in caplog.text


def test_a_refusal_holds_no_copy_of_the_secret() -> None:
    # pydantic's own error keeps every input; whoever logs a chain of causes must not find it there.
    with pytest.raises(ServiceError) as refusal:
        load([], {"KAFKA_SASL_PASSWORD": CANARY, "APP_HTTP__PORT": "x"})
    assert refusal.value.__cause__ is None
    assert refusal.value.__context__ is None


def test_a_user_name_in_a_url_is_starred() -> None:
    assert faults({"KAFKA_BOOTSTRAP_SERVERS": f"ann:{CANARY}@localhost:9092"}) == [
        "KAFKA_BOOTSTRAP_SERVERS: must be host:port, without a user name (got '***@localhost:9092')"
    ]
