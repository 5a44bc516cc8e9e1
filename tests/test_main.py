"""The command line, as a user and a machine see it: what is printed where, and the exit code."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from app import __version__
from app.__main__ import main
from app.commands import COMMANDS, parse
from app.errors import UsageError
from app.settings.variables import SETTINGS

ROOT = Path(__file__).parents[1]


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def app(*argv: str, **environ: str) -> subprocess.CompletedProcess[str]:
    """`python -m app` in an empty directory, with an environment of its own."""
    return subprocess.run(
        [sys.executable, "-m", "app", *argv],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_a_wrong_setting_is_a_line_on_stderr_and_78() -> None:
    done = app("config", KAFKA_SECURITY_PROTOCOL="sasl_sl", APP_ROLE="a")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "APP_ROLE: is not a setting; did you mean APP_ROLES?\n"
        "KAFKA_SECURITY_PROTOCOL: must be one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL (got 'sasl_sl'); "
        "did you mean SASL_SSL?\n"
    )


@pytest.mark.parametrize("command", [name for name in COMMANDS if name != "health"])
def test_no_command_starts_on_wrong_settings(command: str) -> None:
    done = app(command, KAFKA_BOOTSTRAP_SERVERS="")
    assert (done.returncode, done.stdout) == (78, "")
    assert done.stderr == (
        "KAFKA_BOOTSTRAP_SERVERS: is set but empty; give host:port, or unset it for a private Kafka on this machine\n"
    )


def test_a_wrong_setting_is_refused_without_a_command_too() -> None:
    assert app("--http-port=x").returncode == 78


def test_undecodable_bytes_in_the_environment_are_one_line() -> None:
    done = app("config", APP_ROLES="\udcff")
    assert done.returncode == 78
    assert done.stderr == "APP_ROLES: must be UTF-8 text (got '\\udcff')\n"


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        (["confg"], "'confg': unknown command; did you mean config?"),
        (
            ["xyzzy"],
            "'xyzzy': unknown command; there are run, check, health, config, broker, topology, topics, reset, dlq",
        ),
        (["config", "--fresh"], "--fresh: belongs to run and broker, not to config"),
        (["topics", "--jsn"], "--jsn: unknown flag; python -m app --help lists them"),
        (["config", "--jsn"], "--jsn: unknown flag; did you mean --json?"),
        (["config", "--json", "--json"], "--json: given twice"),
        (["config", "--json=yes"], "--json: takes no value"),
        (["reset", "--to"], "--to: needs a value"),
        (["reset", "--to", "--execute"], "--to: needs a value"),
        (["reset", "--to="], "--to: is empty"),
        (["reset", "--to=latest", "--to", "earliest"], "--to: given twice"),
        (["config", "--to=latest"], "--to: belongs to reset, not to config"),
        (["dlq", "show", "0:1", "0:2"], "a word too many; a command comes first, and every value follows its --flag"),
        (["config", "check"], "a word too many; a command comes first, and every value follows its --flag"),
        (["--kafka-topc=x"], "--kafka-topc: unknown flag; did you mean --kafka-topic?"),
    ],
)
def test_misuse_is_one_line_and_64(argv: list[str], line: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(argv, {}) == 64
    assert capsys.readouterr() == ("", f"{line}\n")


def test_a_secret_on_the_command_line_is_64_and_not_repeated() -> None:
    done = app("config", "--kafka-sasl-password", "canary")
    assert (done.returncode, done.stdout) == (64, "")
    assert done.stderr == (
        "--kafka-sasl-password: a secret is not taken from the command line, where others can read it; "
        "set APP_KAFKA__SASL_PASSWORD_FILE\n"
    )


def test_help_shows_commands_flags_variables_and_defaults() -> None:
    done = app("--help")
    assert (done.returncode, done.stderr) == (0, "")
    for name, command in COMMANDS.items():
        assert f"\n  {name:8}  {command.summary}\n" in done.stdout
    for setting in SETTINGS:
        assert setting.variable in done.stdout
        assert (setting.flag or "(no flag: a secret)") in done.stdout
        assert f"default: {setting.default or 'unset'}]" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 120


@pytest.mark.parametrize("command", COMMANDS)
def test_help_on_a_command_shows_its_own_flags(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([command, "--help"], {}) == 0
    text = capsys.readouterr().out
    assert text.startswith(f"python -m app {command} [flags]\n\n  {COMMANDS[command].summary}\n")
    for other in COMMANDS.values():
        for switch, meaning in other.switches.items():
            mine = COMMANDS[command].switches.get(switch) == meaning
            assert (f"  {switch:12}  {meaning}\n" in text) is mine


def test_help_on_health_shows_the_two_settings_that_it_reads(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["health", "--help"], {}) == 0
    text = capsys.readouterr().out
    assert [setting.path for setting in SETTINGS if setting.variable in text] == ["http.host", "http.port"]


def test_help_works_with_wrong_settings() -> None:
    assert app("--help", KAFKA_BOOTSTRAP_SERVERS="").returncode == 0


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"], {}) == 0
    assert capsys.readouterr().out == f"app {__version__}\n"


def test_a_command_takes_its_switches_and_leaves_the_settings() -> None:
    assert parse([]) == ("run", {"fresh": False}, ())
    assert parse(["--fresh", "--roles=a"]) == ("run", {"fresh": True}, ("--roles=a",))
    assert parse(["topics", "--kafka-topic", "x", "--delete"]) == (
        "topics",
        {"delete": True, "execute": False},
        ("--kafka-topic", "x"),
    )
    with pytest.raises(UsageError):
        parse(["help"])


def test_a_command_takes_its_words_and_values() -> None:
    assert parse(["reset", "--to", "latest", "--http-port=0"]) == (
        "reset",
        {"execute": False, "to": "latest", "also": None},
        ("--http-port=0",),
    )
    nothing = {"execute": False, "topic": None, "source": None, "reason": None, "action": None, "record": None}
    assert parse(["dlq"]).arguments == nothing
    assert parse(["dlq", "show", "1:2", "--topic=t"]).arguments == nothing | {
        "action": "show",
        "record": "1:2",
        "topic": "t",
    }


def test_settings_reach_the_command() -> None:
    done = app("config", "--c-group-id", "g", KAFKA_TOPIC="orders")
    assert (done.returncode, done.stderr) == (0, "")
    lines = [" ".join(line.split()) for line in done.stdout.splitlines()]
    assert "APP_KAFKA__TOPIC=orders # environment KAFKA_TOPIC" in lines
    assert "APP_C__GROUP_ID=g # flag --c-group-id" in lines


def test_a_health_probe_imports_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from app.__main__ import main\n"
        "code = main(['health'], {'APP_HTTP__HOST': '127.0.0.1', 'APP_HTTP__PORT': '1'})\n"
        "heavy = {'pydantic', 'pydantic_settings', 'aiokafka', 'asyncio', 'structlog', 'starlette', 'json'}\n"
        "print(code, *sorted(heavy & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{program}"],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stdout == "69\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as stdout:
        done = subprocess.run(
            [sys.executable, "-m", "app", "--help"],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
            stdout=stdout,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    assert (done.returncode, done.stderr) == (0, b"")


def broken(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    """A command that fails: what happens to be a bug in one."""

    def fail(*_: object, **__: object) -> int:
        raise error

    monkeypatch.setattr("app.commands.config.run", fail)


def test_a_bug_is_one_line_with_its_place(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    broken(monkeypatch, ValueError("first\nsecond"))
    assert main(["config"], {}) == 1
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("internal error: ValueError: first second (")
    assert err.endswith("); APP_LOG__LEVEL=DEBUG shows how it came about\n")
    assert err.count("\n") == 1
    assert f"{Path(__file__).name}:" in err


def test_a_bug_shows_its_traceback_at_debug_level(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(monkeypatch, ValueError("first"))
    assert main(["config"], {"APP_LOG__LEVEL": "debug"}) == 1
    assert "Traceback (most recent call last)" in capsys.readouterr().err


def test_a_missing_package_is_one_line_and_69(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(monkeypatch, ModuleNotFoundError("No module named 'pydantic.main'", name="pydantic.main"))
    assert main(["config"], {}) == 69
    assert capsys.readouterr().err == "the Python package pydantic is missing; scripts/run installs all\n"


def test_a_missing_module_of_our_own_is_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(monkeypatch, ModuleNotFoundError("No module named 'app.x'", name="app.x"))
    assert main(["config"], {}) == 1
    assert capsys.readouterr().err.startswith("internal error: ModuleNotFoundError: ")


def test_an_interrupt_is_130_without_a_word(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(monkeypatch, KeyboardInterrupt())
    assert main(["config"], {}) == 130
    assert capsys.readouterr() == ("", "")


def test_a_pipe_that_breaks_elsewhere_is_a_bug(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    broken(monkeypatch, BrokenPipeError(32, "Broken pipe"))
    assert main(["config"], {}) == 1
    assert "BrokenPipeError" in capsys.readouterr().err
