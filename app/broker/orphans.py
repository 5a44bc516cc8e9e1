"""Ends a broker whose guardian was killed. Imported only then: psutil comes with the extra."""

from pathlib import Path

import psutil

from app.broker.properties import home_mark


def end_orphans(home: Path) -> None:
    """Kills every JVM that serves `home`. Its data bears it: a broker is built to be killed."""
    mark = f"-D{home_mark(home)}"
    for process in psutil.process_iter():
        try:
            if mark in process.cmdline():
                process.kill()
        except psutil.Error:
            continue  # ended meanwhile, or somebody else's
