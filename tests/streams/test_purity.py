"""The engine decides and does nothing else: no event loop, no client, no clock, no file, no thread, no dice."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ENGINE = Path(__file__).parents[2] / "app" / "streams"
MODULES = sorted(path for path in ENGINE.rglob("*.py"))
# What a module of the engine may not name. Other packages may load these for themselves, as msgspec does with some.
IMPURE = {"aiokafka", "asyncio", "logging", "os", "random", "secrets", "socket", "subprocess", "threading", "time"}


def module_name(path: Path) -> str:
    parts = path.relative_to(ENGINE.parents[1]).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def loaded_by(*modules: str) -> set[str]:
    """What a fresh interpreter has loaded after these imports."""
    code = f"import sys, {', '.join(modules)}; print(*sorted(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60)
    return set(found.stdout.split())


def test_the_whole_engine_loads_neither_an_event_loop_nor_a_client_nor_a_shell() -> None:
    loaded = loaded_by(*map(module_name, MODULES))
    assert "app.streams.task.task" in loaded
    assert not {"asyncio", "aiokafka", "logging", "socket", "structlog", "pydantic", "uvloop"} & loaded
    shells = {name for name in loaded if name.startswith("app.") and not name.startswith("app.streams")}
    assert shells == set()


def test_the_package_alone_gives_its_names_without_any_of_them() -> None:
    assert not {"asyncio", "aiokafka", "logging"} & loaded_by("app.streams")


@pytest.mark.parametrize("path", MODULES, ids=module_name)
def test_no_module_names_what_waits_or_looks_outside(path: Path) -> None:
    named = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            named |= {each.name.partition(".")[0] for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            named.add(node.module.partition(".")[0])
    assert named & IMPURE == set()
