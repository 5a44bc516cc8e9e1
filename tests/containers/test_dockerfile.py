"""The image: what it holds, who it runs as, and how it is started, stopped and probed."""

import json
import re
import subprocess
import sysconfig
from pathlib import Path

from tests.containers.dockerfile import ROOT, instructions

HADOLINT = Path(sysconfig.get_path("scripts")) / "hadolint"


def test_hadolint_has_nothing_to_say() -> None:
    linted = subprocess.run([HADOLINT, ROOT / "Dockerfile"], capture_output=True, text=True, check=False)
    assert (linted.returncode, linted.stdout, linted.stderr) == (0, "", "")


def test_every_stage_is_of_one_base_with_a_pinned_python() -> None:
    [base] = [arguments for keyword, arguments in instructions().all if keyword == "ARG"]
    assert re.fullmatch(r"PYTHON_IMAGE=python:3\.1[1-4]-slim-[a-z]+", base)
    stages = [arguments.split()[0] for keyword, arguments in instructions().all if keyword == "FROM"]
    assert stages == ["${PYTHON_IMAGE}"] * 2


def test_the_image_runs_as_a_number_that_is_not_root() -> None:
    assert re.fullmatch(r"[1-9]\d*:[1-9]\d*", instructions().only("USER"))


def test_signals_reach_the_service_and_no_shell() -> None:
    image = instructions()
    assert json.loads(image.only("ENTRYPOINT")) == ["python", "-m", "app"]
    command = image.only("HEALTHCHECK").partition("CMD ")[2]
    assert json.loads(command) == ["python", "-m", "app", "health"]


def test_what_is_installed_is_pinned_by_hash() -> None:
    installs = [arguments for keyword, arguments in instructions().all if keyword == "RUN" and " install " in arguments]
    assert len(installs) == 1
    assert "--require-hashes" in installs[0]
    assert installs[0].endswith("/run.txt")


def test_only_what_the_image_is_made_of_reaches_the_builder() -> None:
    lines = (ROOT / ".dockerignore").read_text().splitlines()
    rules = [line for line in lines if line and not line.startswith("#")]
    allowed = {rule.removeprefix("!") for rule in rules if rule.startswith("!")}
    copied = {
        arguments.split()[0]
        for keyword, arguments in instructions().all
        if keyword == "COPY" and not arguments.startswith("--from")
    }
    assert rules[0] == "*"
    assert allowed == copied
