import pytest

from app.errors import UsageError
from app.settings import load
from app.settings.variables import SETTINGS
from tests.settings.trying import misuse, settings


def test_a_value_follows_its_flag_or_an_equals_sign() -> None:
    tree = settings({}, ["--kafka-topic", "orders", "--a-first=-4", "--b-first", "-5", "--c-group-id=a=b"])
    assert (tree.kafka.topic, tree.a.first, tree.b.first, tree.c.group_id) == ("orders", -4, -5, "a=b")


@pytest.mark.parametrize(
    ("argv", "allowed"),
    [
        (["--kafka-allow-plain-password"], True),
        (["--kafka-allow-plain-password", "--kafka-topic=x"], True),
        (["--kafka-allow-plain-password", "true"], True),
        (["--kafka-allow-plain-password=false"], False),
    ],
)
def test_a_switch_needs_no_value(argv: list[str], allowed: bool) -> None:
    assert settings({}, argv).kafka.allow_plain_password is allowed


def test_every_setting_but_a_secret_has_a_flag() -> None:
    assert [setting.path for setting in SETTINGS if setting.flag is None] == [
        "kafka.ssl_keypassword",
        "kafka.sasl_password",
        "kafka.oauth_token",
        "kafka.oauth_client_secret",
        "http.token",
    ]
    flags = [setting.flag for setting in SETTINGS if setting.flag is not None]
    assert len(set(flags)) == len(flags)


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["--kafka-topc", "x"], "--kafka-topc: unknown flag; did you mean --kafka-topic?"),
        (["--kafka.client-id=x"], "--kafka.client-id: unknown flag; did you mean --kafka-client-id?"),
        (["--kafka_topic=x"], "--kafka_topic: unknown flag; did you mean --kafka-topic?"),
        (["--KAFKA-TOPIC=x"], "--KAFKA-TOPIC: unknown flag; did you mean --kafka-topic?"),
        (["--kafka-top=x"], "--kafka-top: unknown flag; did you mean --kafka-topic?"),  # no abbreviations
        (["--xyzzy"], "--xyzzy: unknown flag; python -m app --help lists them"),
        (["--"], "--: unknown flag; python -m app --help lists them"),
        (["-v"], "-v: unknown flag; python -m app --help lists them"),
        (["-pcanary"], "-p: unknown flag; python -m app --help lists them"),
        (["--kafka-topic"], "--kafka-topic: needs a value"),
        (["--kafka-topic", "--a-first=1"], "--kafka-topic: needs a value"),
        (["--a-first=1", "--a-first=2"], "--a-first: given twice"),
        (["canary"], "a word too many; a command comes first, and every value follows its --flag"),
        (
            ["--kafka-sasl-password", "canary"],
            (
                "--kafka-sasl-password: a secret is not taken from the command line, where others can read it; "
                "set APP_KAFKA__SASL_PASSWORD_FILE"
            ),
        ),
        (
            ["--kafka-oauth-client-secret=canary"],
            (
                "--kafka-oauth-client-secret: a secret is not taken from the command line, where others can read it; "
                "set APP_KAFKA__OAUTH_CLIENT_SECRET_FILE"
            ),
        ),
        (
            ["--sasl-password=canary"],
            "--sasl-password: unknown flag; a secret is set with APP_KAFKA__SASL_PASSWORD_FILE",
        ),
    ],
)
def test_misuse_is_one_line_without_the_value(argv: list[str], line: str) -> None:
    assert misuse(*argv) == line


def test_the_flags_of_a_command_are_suggested_too() -> None:
    with pytest.raises(UsageError, match=r"^--frsh: unknown flag; did you mean --fresh\?$"):
        load(["--frsh"], {}, ["--fresh"])
