"""Which records of the libraries are shown, how loud, how often."""

import ast
import logging
from importlib.util import find_spec
from pathlib import Path

from app.log.thinning import LOST_RECORDS, OUTAGE_CHATTER, Thinning, grade


def templates(package: str) -> set[str]:
    """Every constant that the package gives to a log call."""
    spec = find_spec(package)
    assert spec is not None
    assert spec.submodule_search_locations
    found = set()
    for path in Path(spec.submodule_search_locations[0]).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.args:
                first = node.args[0]
                if ast.unparse(node.func.value) == "log" and isinstance(first, ast.Constant):
                    found.add(str(first.value))
    return found


def test_every_template_that_is_graded_exists_in_aiokafka() -> None:
    assert templates("aiokafka") >= OUTAGE_CHATTER | LOST_RECORDS


def test_grades() -> None:
    chatter = "Unable connect to node with id %s: %s"
    assert grade("aiokafka", chatter, logging.ERROR) == logging.DEBUG
    assert grade("app.kafka", chatter, logging.ERROR) == logging.ERROR
    assert grade("aiokafka.consumer", "Subscribed to topic(s): %s", logging.INFO) == logging.DEBUG
    assert grade("uvicorn.error", "Shutting down", logging.INFO) == logging.DEBUG
    assert grade("aiokafka.conn", "Unexpected exception in AIOKafkaConnection", logging.ERROR) == logging.ERROR
    assert grade("app.roles", "sent", logging.INFO) == logging.INFO
    assert grade("aiokafka.consumer.fetcher", next(iter(LOST_RECORDS)), logging.INFO) == logging.WARNING


def test_thinning_forgets_the_oldest_key() -> None:
    thinning = Thinning(window_s=30)
    assert thinning.admit(("l", "first"), 0.0) == 0
    for n in range(600):
        assert thinning.admit(("l", str(n)), 1.0) == 0
    assert thinning.admit(("l", "first"), 2.0) == 0
    assert thinning.admit(("l", "599"), 2.0) is None
    assert thinning.expired(30.0) == []
    assert thinning.expired(31.0) == [(("l", "599"), 1)]
    assert thinning.expired(99.0) == []
