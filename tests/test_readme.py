"""The README's claims that a test can hold it to; the others are the subject of the tests beside this one."""

import json
import re
from pathlib import Path

import pytest

from app.commands import COMMANDS
from app.roles import Schedule
from app.settings import SettingsTree
from app.settings.variables import BY_PATH

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()


def test_the_output_shown_is_what_the_schedules_give() -> None:
    (shown,) = re.findall(r"```\n(\{.*?)```", README, re.DOTALL)
    lines = [json.loads(line) for line in shown.splitlines()]
    settings = SettingsTree()
    by_producer = {
        name: Schedule(options.first, options.interval) for name, options in (("A", settings.a), ("B", settings.b))
    }
    for name, schedule in by_producer.items():
        numbers = [line[name] for line in lines if name in line]
        assert numbers == list(schedule.numbers(0, schedule.due(3.5)))


def test_the_settings_shown_exist_with_the_defaults_shown() -> None:
    by_variable = {setting.variable: setting for setting in BY_PATH.values()}
    rows = re.findall(r"^\| (`APP_[^|]*) \| ([^|]*) \|", README, re.MULTILINE)
    assert len(rows) >= 7
    for names, defaults in rows:
        variables = re.findall(r"`(\w+)`", names)
        values = re.findall(r"`([^`]*)`", defaults) or ["unset"] * len(variables)
        for variable, value in zip(variables, values, strict=True):
            default = by_variable[variable].default
            assert value == ("unset" if default is None else default.removesuffix(".0"))


def test_every_command_shown_exists() -> None:
    shown = set(re.findall(r"scripts/run ([a-z]+)\b", README))
    assert shown
    assert shown <= set(COMMANDS)


@pytest.mark.parametrize("path", sorted(set(re.findall(r"\]\(([\w./-]+)\)", README))))
def test_every_link_leads_somewhere(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("script", sorted(set(re.findall(r"\bscripts/(\w+)", README))))
def test_every_script_shown_can_be_run(script: str) -> None:
    assert (ROOT / "scripts" / script).stat().st_mode & 0o111
