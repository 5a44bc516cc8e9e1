"""`app topology`: the text that Java prints, a drawing, and what is said of a name that leads nowhere."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from app.pipeline import topology
from app.streams import Builder, StreamsConfig, describe


def app(*arguments: str, folder: Path | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    root = Path(__file__).parents[2]
    return subprocess.run(
        [sys.executable, "-m", "app", "topology", *arguments],
        env={"PYTHONPATH": str(root), "PATH": "/usr/bin:/bin", **environment},
        cwd=folder or root,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_pipeline_is_described() -> None:
    builder = Builder(StreamsConfig(application_id="kafka-demo-streams"))
    topology(builder)
    done = app()
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == describe(builder.build()).rstrip() + "\n"


def test_the_drawing_names_every_node_topic_and_store_once() -> None:
    done = app("--mermaid")
    assert done.stdout.startswith("flowchart TD\n")
    builder = Builder()
    topology(builder)
    built = builder.build()
    drawn = re.findall(r'^\s*\w+(?:\[\(|\(\[|\[)"([^"]+)"', done.stdout, re.MULTILINE)
    assert len(drawn) == len(set(drawn))
    assert set(built.nodes) <= set(drawn)
    assert {"totals", "per-10s", "numtest1", "numbers-pairs", "by-producer-repartition"} <= set(drawn)


USERS = """
from app.streams import Builder
from app.streams.serdes import utf8

def works(builder: Builder) -> None:
    builder.stream("in", key=utf8, value=utf8).to("out")

def clashes(builder: Builder) -> None:
    builder.stream("in")
    builder.table("in")

number = 5
"""


@pytest.mark.parametrize(
    ("name", "line"),
    [
        ("nowhere:topology", "APP_TOPOLOGY: there is no module nowhere (of 'nowhere:topology')"),
        ("mine:missing", "APP_TOPOLOGY: mine has no missing (of 'mine:missing')"),
        ("mine:number", "APP_TOPOLOGY: mine:number is not a function that takes a Builder"),
    ],
)
def test_a_name_that_leads_nowhere(name: str, line: str, tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USERS)
    done = app(folder=tmp_path, APP_TOPOLOGY=name)
    assert (done.returncode, done.stderr) == (78, f"{line}\n")


def test_a_topology_of_the_users_own(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USERS)
    done = app(folder=tmp_path, APP_TOPOLOGY="mine:works")
    assert (done.returncode, "Sink: KSTREAM-SINK-0000000001 (topic: out)" in done.stdout) == (0, True)


def test_a_topology_that_cannot_work_is_refused_with_its_faults(tmp_path: Path) -> None:
    (tmp_path / "mine.py").write_text(USERS)
    done = app(folder=tmp_path, APP_TOPOLOGY="mine:clashes")
    assert done.returncode == 78
    assert done.stderr.startswith("APP_TOPOLOGY: mine:clashes cannot work: ")
    assert "Traceback" not in done.stderr
