"""Fetches Kafka's files through jgo. Imported only when a file is missing: jgo is an extra, and slow to import."""

import shutil
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jgo.config
import jgo.constants
import jgo.maven
import requests

from app.broker.jars import KAFKA_VERSION, Jar, is_intact
from app.broker.progress import Progress
from app.errors import BrokerUnavailable

PARALLEL = 6
ATTEMPTS = 3
TIMEOUT_S = 8


class _Abandoned(Exception):
    """Nobody waits for the files any more."""


class Fetcher:
    """Fetches files side by side; `abandon()` ends it from another thread."""

    def __init__(self, progress: Progress) -> None:
        self._progress = progress
        self._abandoned = threading.Event()
        self._failures: deque[Exception] = deque()

    def abandon(self) -> None:
        self._abandoned.set()

    def __call__(self, folder: Path, jars: tuple[Jar, ...]) -> None:
        """Each file appears in `folder` only when it is complete and verified, so that an interrupted fetch goes on
        where it stopped."""
        partial = folder / "partial"
        shutil.rmtree(partial, ignore_errors=True)
        waiting = deque(jars)
        # Daemons, for the interpreter joins the threads of a pool: a silent registry would hold up the service's end.
        threads = [
            threading.Thread(target=self._work, args=(waiting, folder, partial), daemon=True) for _ in range(PARALLEL)
        ]
        with self._progress.running(sum(jar.size for jar in jars)):
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            shutil.rmtree(partial, ignore_errors=True)
            if self._failures:
                cause = self._failures[0]
                raise BrokerUnavailable(
                    f"cannot fetch Apache Kafka {KAFKA_VERSION}: {_reason(cause)}",
                    try_next="the first start needs the network; or set APP_KAFKA__BOOTSTRAP_SERVERS to your own",
                ) from cause

    def _work(self, waiting: deque[Jar], folder: Path, partial: Path) -> None:
        try:
            context = self._repositories(partial)
            while not self._abandoned.is_set():
                try:
                    jar = waiting.popleft()
                except IndexError:
                    return
                self._fetch(context, jar, folder)
        except _Abandoned:
            return
        except Exception as error:  # noqa: BLE001 - carried to the thread that asked
            self._failures.append(error)
            self.abandon()

    def _repositories(self, partial: Path) -> Any:
        # A mirror in jgo's own configuration file goes first: a company's machines may reach nothing else.
        mirrors = jgo.config.GlobalSettings.load().repositories
        return jgo.maven.MavenContext(
            resolver=jgo.maven.PythonResolver(progress_callback=self._count),
            repo_cache=partial,
            local_repos=[],
            remote_repos={**mirrors, "central": jgo.constants.MAVEN_CENTRAL_URL},
            timeout=TIMEOUT_S,
        )

    def _fetch(self, context: Any, jar: Jar, folder: Path) -> None:
        artifact = context.project(jar.group, jar.artifact).at_version(jar.version).artifact()
        for attempt in range(1, ATTEMPTS + 1):
            try:
                file = Path(artifact.resolve())
                if not is_intact(file, jar):
                    raise BrokerUnavailable(f"{jar.file_name} is not the file that was pinned (SHA-256 {jar.sha256})")
                file.replace(folder / jar.file_name)
                return
            except (requests.RequestException, BrokerUnavailable):
                # What arrived stays where jgo would take it for the whole file.
                artifact.cached_path.unlink(missing_ok=True)
                if attempt == ATTEMPTS or self._abandoned.wait(0.5 * attempt):
                    raise

    @contextmanager
    def _count(self, _file_name: str, _size: int) -> Iterator[Any]:
        def arrived(count: int) -> None:
            if self._abandoned.is_set():
                raise _Abandoned
            self._progress.add(count)

        yield arrived


def _reason(error: BaseException) -> str:
    """The innermost cause on one line: requests wraps a refused connection three times."""
    while (inner := error.__cause__ or error.__context__) is not None:
        error = inner
    return " ".join(str(error).split())[:200] or type(error).__name__
