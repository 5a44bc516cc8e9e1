"""That the checker can fail: engines that do one thing wrong. All of them: `scripts/soak --prove`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.faults.exactly_once.deliberate import CASES
from tests.faults.exactly_once.instances import ROOT
from tests.faults.exactly_once.sabotage import PATCHES
from tests.faults.exactly_once.trial import attempt


def test_every_fault_has_a_scenario_and_a_seam() -> None:
    assert CASES.keys() == PATCHES.keys()
    code = "from tests.faults.exactly_once.sabotage import PATCHES\nfor patch in PATCHES.values(): patch()"
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


# Of those whose moment comes more than once in a trial, however slow the machine.
@pytest.mark.timeout(300)
@pytest.mark.parametrize("fault", ["failed-batch-ignored", "unknown-outcome-taken-for-abort"])
async def test_a_deliberate_fault_is_caught(kafka: str, tmp_path: Path, fault: str) -> None:
    outcome = await attempt(kafka, tmp_path, CASES[fault].terms(fault))
    assert outcome.findings, str(outcome)
