"""What a record becomes: golden lines, thinning, and nothing that hides or leaks."""

import io
import json
import logging
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.log import configure, flush, get_logger
from app.log.rendering import as_json, as_pretty, formatter
from app.log.thinning import LOST_RECORDS
from app.log.visible import visible
from app.settings.model import LogSettings

NOON = 1_795_435_200.25  # 2026-11-23T12:00:00.250Z


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@dataclass
class Log:
    stream: io.StringIO
    now: list[float] = field(default_factory=lambda: [0.0])

    @property
    def lines(self) -> list[str]:
        flush()
        return self.stream.getvalue().splitlines()

    @property
    def events(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.lines]

    def configure(self, level: str = "INFO", secrets: tuple[str, ...] = (), **options: Any) -> "Log":
        configure(
            LogSettings(level=level, **options),
            self.stream,
            secrets=secrets,
            clock=lambda: self.now[0],
        )
        return self


@pytest.fixture
def log() -> Iterator[Log]:
    root, aiokafka = logging.getLogger(), logging.getLogger("aiokafka")
    before = (root.level, aiokafka.level, [*root.handlers])
    log = Log(io.StringIO())
    yield log
    configure(LogSettings(), io.StringIO())  # closes what the test wrote to
    logging.captureWarnings(False)
    for handler in [*root.handlers]:
        if handler not in before[2]:
            root.removeHandler(handler)
            handler.close()
    root.setLevel(before[0])
    aiokafka.setLevel(before[1])


def record(message: str = "sent", *arguments: object, **changes: Any) -> logging.LogRecord:
    made = logging.LogRecord("app.roles", logging.INFO, "", 0, message, arguments, None)
    made.created = NOON
    made.__dict__.update(changes)
    return made


# ─── golden lines


def test_a_json_line() -> None:
    assert formatter(as_json).format(record("sent %d of %s", 3, "A")) == (
        '{"ts": "2026-11-23T12:00:00.250Z", "level": "info", "event": "sent 3 of A", "logger": "app.roles"}'
    )


def test_a_pretty_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    try:
        line = formatter(lambda event: as_pretty(event, colours=False)).format(record(left_out=7))
    finally:
        monkeypatch.undo()
        time.tzset()
    assert line == "12:00:00.250 INFO     sent  left_out=7  [app.roles]"


def test_facts_are_names_and_values(log: Log) -> None:
    log.configure()
    get_logger("app.roles").warning(
        "not acknowledged", topic="numtest1", offset=2**63 - 1, why=OSError("gone"), at=None
    )
    [event] = log.events
    assert event["ts"].endswith("Z")
    del event["ts"]
    assert list(event.items()) == [
        ("level", "warning"),
        ("event", "not acknowledged"),
        ("logger", "app.roles"),
        ("topic", "numtest1"),
        ("offset", 2**63 - 1),
        ("why", "gone"),
        ("at", None),
    ]


def test_pretty_values_cannot_be_taken_for_others(log: Log) -> None:
    log.configure(format="pretty")
    get_logger("app").info("read", key='a level=error x="1"', plain="word", empty="", number=3)
    assert log.lines[0].endswith('read  key="a level=error x=\\"1\\""  plain=word  empty=""  number=3  [app]')


def test_pretty_on_a_terminal_json_elsewhere(monkeypatch: pytest.MonkeyPatch, log: Log) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    log.configure()
    logging.getLogger("app").info("one")
    assert log.events[0]["event"] == "one"
    log.stream = Terminal()
    log.configure()
    logging.getLogger("app").info("two")
    assert "\x1b[32mINFO    \x1b[0m two" in log.lines[0]
    log.stream = Terminal()
    monkeypatch.setenv("NO_COLOR", "1")
    log.configure()
    logging.getLogger("app").info("three")
    assert "\x1b" not in log.lines[0]


def test_a_traceback_is_indented_and_carries_no_locals(log: Log) -> None:
    log.configure(format="pretty")
    hidden = "canary-in-a-local"
    try:
        raise ValueError("bad\n12:00:00.000 ERROR    forged\x1b[2J" + hidden[:0])
    except ValueError:
        get_logger("app").exception("it failed")
    head, *rest = log.lines
    assert "ERROR    it failed" in head
    assert rest
    assert all(line.startswith("    | ") for line in rest)
    assert rest[-1] == "    | 12:00:00.000 ERROR    forged\\x1b[2J"
    assert "canary" not in "".join(log.lines)


def test_a_traceback_in_json_is_one_line(log: Log) -> None:
    log.configure()
    try:
        raise ValueError("bad")
    except ValueError:
        logging.getLogger("app").exception("it failed")
    assert len(log.lines) == 1
    assert log.events[0]["exception"].endswith("ValueError: bad")


# ─── hostile values


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb\r\tc", "a\\nb\\r\\tc"),
        ("\x1b[31mred\x9b1m\x7f\x00", "\\x1b[31mred\\x9b1m\\x7f\\x00"),
        ("\u202eevil\u2066\u061c\u2028", "\\u202eevil\\u2066\\u061c\\u2028"),
        ("\ud800 \U000e0041", "\\ud800 \\U000e0041"),
        ("naïve 数字 👩\u200d💻", "naïve 数字 👩\u200d💻"),
    ],
)
def test_visible(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_visible_is_bounded() -> None:
    assert visible("\n" * 10, 3) == "\\n\\n\\n… (7 more characters)"


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.text(), VALUES)
def test_whatever_is_logged_is_one_line_of_valid_json(text: str, value: object) -> None:
    line = formatter(as_json).format(record(text.replace("%", "%%")))
    pretty = formatter(lambda event: as_pretty(event, colours=False)).format(record("%s", value))
    for each in (line, pretty):
        assert len(each.splitlines()) == 1
        assert each.isprintable() or "\u200c" in each or "\u200d" in each or not each.isascii()
        each.encode()
    json.loads(line, parse_constant=pytest.fail)


def test_a_value_that_holds_itself(log: Log) -> None:
    loop: list[object] = []
    loop.append(loop)
    log.configure()
    get_logger("app").info("odd", loop=loop, nan=float("nan"), raw=b"\x1b")
    assert log.events[0]["nan"] == "nan"
    assert log.events[0]["raw"] == "b'\\x1b'"


def test_secrets_are_starred_wherever_they_are(log: Log) -> None:
    secrets = ("canary", "canary-longer", "it's")
    for format_ in ("json", "pretty"):
        log.configure("DEBUG", secrets=secrets, format=format_)
        get_logger("app").info("canary", a="x canary-longer y", b=["canary"], c={"canary": 1}, d=OSError("canary"))
        logging.getLogger("aiokafka.conn").error("password %s", "canary")
        try:
            raise ValueError("canary")
        except ValueError:
            logging.getLogger("app").exception("canary")
    text = "\n".join(log.lines)
    assert "canary" not in text
    assert "-longer" not in text
    assert text.count("**********") >= 14


def test_a_login_is_not_logged_even_at_debug(log: Log) -> None:
    admin: Any = __import__("aiokafka.protocol.admin", fromlist=["SaslAuthenticateRequest_v1"])
    login = admin.SaslAuthenticateRequest_v1(b"\0user\0hunter2")
    assert "hunter2" in repr(login)
    log.configure("DEBUG")
    logging.getLogger("aiokafka.conn").debug("Request to %s:%d %d: %s", "k", 9092, 1, login)
    assert "hunter2" not in log.lines[0]
    assert log.events[0]["event"] == "a login request or response (its content is not logged)"


# ─── the libraries


def test_an_outage_is_silent_at_info_and_thin_at_debug(log: Log) -> None:
    def outage() -> None:
        for _ in range(70):
            logging.getLogger("aiokafka").error("Unable connect to node with id %s: %s", 1, "refused")

    log.configure("INFO")
    outage()
    assert log.lines == []
    log.configure("DEBUG")
    outage()
    assert [event["level"] for event in log.events] == ["debug"]


def test_a_flood_is_one_line_and_then_a_count(log: Log) -> None:
    log.configure("WARNING")
    logger = logging.getLogger("aiokafka.consumer.fetcher")
    for second in range(31):
        log.now[0] = float(second)
        for node in range(10):
            logger.error("Unexpected error while fetching data: %s", f"E{node}")
    assert [(event["event"], event.get("left_out")) for event in log.events] == [
        ("Unexpected error while fetching data: E0", None),
        ("Unexpected error while fetching data: E0", 299),
    ]


def test_a_count_is_told_even_if_the_flood_is_over(log: Log) -> None:
    log.configure()
    for _ in range(8):
        logging.getLogger("aiokafka").error("some fault %d", 1)
    log.now[0] = 31.0
    logging.getLogger("app").info("all is well")
    assert [event["event"] for event in log.events] == [
        "some fault 1",
        "7 more lines like this were left out: some fault %d",
        "all is well",
    ]


def test_our_own_lines_are_never_thinned(log: Log) -> None:
    log.configure()
    for _ in range(50):
        logging.getLogger("app.roles").info("again")
    assert len(log.lines) == 50


def test_aiokafkas_own_debug_lines_are_whole(log: Log) -> None:
    log.configure("DEBUG")
    for _ in range(3):
        logging.getLogger("aiokafka.conn").debug("Closing connection")
    assert len(log.lines) == 3


def test_lost_records_are_told_though_aiokafka_whispers(log: Log) -> None:
    log.configure("WARNING")
    logging.getLogger("aiokafka.consumer.fetcher").info(next(iter(LOST_RECORDS)), 5, "t-0")
    assert [event["level"] for event in log.events] == ["warning"]


def test_other_handlers_see_the_record_as_it_was(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    log.configure("DEBUG")
    logging.getLogger("aiokafka").error("Unable to update metadata from %s", [1])
    assert caplog.records[0].levelno == logging.ERROR


def test_warnings_take_the_same_path(log: Log) -> None:
    log.configure()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        logging.captureWarnings(False)
        logging.captureWarnings(True)
        warnings.warn("old way", DeprecationWarning, stacklevel=1)
        logging.captureWarnings(False)
    assert log.events[0]["logger"] == "py.warnings"


def test_configuring_twice_writes_once(log: Log) -> None:
    log.configure()
    log.configure()
    logging.getLogger("app").info("once")
    assert len(log.lines) == 1


def test_a_record_that_cannot_be_formatted_is_told_and_ends_nobody(log: Log) -> None:
    log.configure()
    ours = logging.getLogger().handlers[-1]  # pytest's own handler would raise
    ours.handle(record("%d items", "not a number\x1b"))
    assert [(event["level"], event["event"], event["logger"]) for event in log.events] == [
        ("error", "a log line could not be made: TypeError in '%d items'", "app.roles")
    ]
