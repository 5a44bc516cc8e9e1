"""The engine is pure: importing it loads no event loop and no client."""

from __future__ import annotations

import subprocess
import sys

ENGINE = "app.streams.dsl.builder, app.streams.task, app.streams.testing.driver, app.streams.topology.plan"


def test_the_engine_loads_neither_asyncio_nor_a_client() -> None:
    code = f"import sys, {ENGINE}; print(sorted({{'asyncio', 'aiokafka', 'logging'}} & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    assert found.stdout.strip() == "[]"
