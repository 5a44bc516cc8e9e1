"""The script in a real browser, where this machine has one. What it must never do is tested without it."""

import asyncio
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from app.settings.model import HttpSettings
from app.statistics import PartitionStatistics, ServiceStatistics, StreamsStoreStatistics
from app.web import bind, serve, url
from tests.web.samples import HOSTILE, STREAMS, WELL, unwell

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
QUIET = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update",
    "--enable-logging=stderr", "--virtual-time-budget=4000",
)  # fmt: skip

needs_a_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium on this machine")

LATER = replace(
    unwell(),
    producers=(*(replace(each, last=2**63 - 1) for each in WELL.producers), replace(WELL.producers[0], name="New")),
    consumers=(
        replace(
            WELL.consumers[0],
            partitions=tuple(PartitionStatistics("numtest1", n, 7_000 + n, 0) for n in range(4)),
            dead_letters={},
            last=(HOSTILE,),
        ),
    ),
    streams=replace(
        STREAMS,
        state="RUNNING",
        paused=True,
        tasks=(
            *(replace(STREAMS.tasks[0], task=f"7_{number}", processed=8_000 + number) for number in range(3)),
            replace(STREAMS.tasks[1], stores=(StreamsStoreStatistics(HOSTILE, "window", 1),)),
        ),
        last_error=None,
        topology="Topologies:\n   Sub-topology: 7",
    ),
)


async def dom_and_console(statistics: Callable[[], ServiceStatistics], profile: Path) -> tuple[str, str]:
    """What the page has become some seconds after it was opened, without its templates."""
    listener = bind(HttpSettings(port=0), port_was_set=True)
    async with serve(listener, statistics):
        browser = await asyncio.create_subprocess_exec(
            str(BROWSER), *QUIET, f"--user-data-dir={profile}", "--dump-dom", url(listener),
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        dom, console = (part.decode() for part in await browser.communicate())
    return dom.partition("<template")[0], console


@needs_a_browser
async def test_the_script_fills_the_page_from_the_statistics(tmp_path: Path) -> None:
    answers = iter([WELL])  # the page as it was sent; all that comes later is the script's doing
    shown, console = await dom_and_console(lambda: next(answers, LATER), tmp_path)
    assert "not ready" in shown
    assert '<span data-f="text">nothing assigned</span>' in shown
    assert shown.count("9,223,372,036,854,775,807") == 2  # every digit
    assert ">New</span>" in shown
    assert all(f">7,00{n}</td>" in shown for n in range(4))
    assert "not-json" not in shown
    assert "&lt;img src=x onerror=alert(1)&gt;" in shown
    assert "<img" not in shown
    assert all(f">7_{n}</td>" in shown and f">8,00{n}</td>" in shown for n in range(3))
    assert 'data-state="paused"' in shown
    assert 'data-s="phase" data-state="restoring"' in shown
    assert "   Sub-topology: 7" in shown
    assert "the broker went away" not in shown
    assert "CONSOLE" not in console, console


@needs_a_browser
async def test_numbers_that_are_not_fresh_say_so(tmp_path: Path) -> None:
    answers = iter([WELL])  # then StopIteration: a fault of the service
    shown, _ = await dom_and_console(lambda: next(answers), tmp_path)
    assert '<body class="stale">' in shown
    assert '<p id="stale" role="alert">' in shown  # without `hidden`
    assert '{"A": 2466}' in shown
