"""Runs the Java oracle; tests/java.py compiles it."""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests import java
from tests.conformance.scenarios.build import Json
from tests.java import KAFKA, NoJavaError

__all__ = ["KAFKA", "SOURCES", "NoJavaError", "Oracle", "OracleError", "compiled"]

SOURCES = Path(__file__).parent.parent / "oracle"


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
    with java.compiled(SOURCES, f"org.apache.kafka:kafka-streams-test-utils:{KAFKA}") as program:
        yield Oracle(program.java, program.classpath)
