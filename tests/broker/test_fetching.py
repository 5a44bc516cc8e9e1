"""The real client against a Maven repository on the loopback, named as a mirror in jgo's configuration file."""

import hashlib
import io
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from app.broker.fetching import Fetcher
from app.broker.jars import Jar, missing
from app.broker.progress import Progress
from app.errors import BrokerUnavailable

CONTENT = bytes(range(256)) * 400


class Repository(ThreadingHTTPServer):
    """Serves what `content` gives for a file name."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answer)
        self.files: dict[str, bytes] = {}
        self.asked: list[str] = []
        self.stall = False
        self.stalling, self.release = threading.Event(), threading.Event()


class _Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        repository = self.server
        assert isinstance(repository, Repository)
        name = self.path.rpartition("/")[2]
        repository.asked.append(name)
        content = repository.files.get(name)
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        if repository.stall:
            self.wfile.write(content[:100])
            self.wfile.flush()
            repository.stalling.set()
            repository.release.wait(30)
            return
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Not on stderr."""


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Repository]:
    with Repository() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        (tmp_path / "jgo.conf").write_text(f"[repositories]\nmirror = http://127.0.0.1:{server.server_port}\n")
        monkeypatch.setenv("JGO_CONFIG_FILE", str(tmp_path / "jgo.conf"))
        yield server
        server.release.set()
        server.shutdown()
        thread.join()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "jars").mkdir()
    return tmp_path / "jars"


def offered(repository: Repository, count: int) -> tuple[Jar, ...]:
    contents = {f"lib{number}": CONTENT + bytes([number]) for number in range(count)}
    repository.files = {f"{name}-1.jar": content for name, content in contents.items()}
    return tuple(
        Jar("org.example.lib", name, "1", hashlib.sha256(content).hexdigest(), len(content))
        for name, content in contents.items()
    )


def fetcher(said: list[str] | None = None) -> Fetcher:
    return Fetcher(Progress("Kafka", (said if said is not None else []).append, io.StringIO()))


def test_files_arrive_whole_and_nothing_else_is_left(repository: Repository, folder: Path) -> None:
    wanted, said = offered(repository, 10), list[str]()
    fetcher(said)(folder, wanted)
    assert missing(folder, wanted) == ()
    assert {path.name for path in folder.iterdir()} == {each.file_name for each in wanted}
    assert said[0] == "fetching Kafka, 1.0 MB, this once"
    assert said[1].startswith("fetched 1.0 MB in ")


def test_a_file_that_is_not_the_pinned_one_is_refused(repository: Repository, folder: Path) -> None:
    wanted = offered(repository, 3)
    repository.files["lib1-1.jar"] = b"something else"
    with pytest.raises(
        BrokerUnavailable, match=r"^cannot fetch .*: lib1-1.jar is not the file that was pinned"
    ) as told:
        fetcher()(folder, wanted)
    assert "\n" not in str(told.value)
    assert not (folder / "lib1-1.jar").exists()
    assert repository.asked.count("lib1-1.jar") > 1


def test_a_fetch_goes_on_where_it_stopped(repository: Repository, folder: Path) -> None:
    wanted = offered(repository, 8)
    fetcher()(folder, wanted[:5])
    repository.asked.clear()
    fetcher()(folder, missing(folder, wanted))
    assert {name for name in repository.asked if name.endswith(".jar")} == {each.file_name for each in wanted[5:]}


def test_without_a_network_there_is_one_line(
    repository: Repository, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted, said = offered(repository, 2), list[str]()
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    with pytest.raises(BrokerUnavailable, match=r"^cannot fetch Apache Kafka 4.3.1: .*refused") as told:
        fetcher(said)(folder, wanted)
    assert len(said) == 1  # that it began, not that it was done
    assert str(told.value).endswith(
        "; the first start needs the network; or set APP_KAFKA__BOOTSTRAP_SERVERS to your own"
    )
    assert "\n" not in str(told.value)
    assert missing(folder, wanted) == wanted


def test_an_abandoned_fetch_ends_while_the_repository_stalls(repository: Repository, folder: Path) -> None:
    repository.stall = True
    wanted, fetch = offered(repository, 3), fetcher()

    def abandoned() -> None:
        with suppress(BrokerUnavailable):  # nobody hears it any more
            fetch(folder, wanted)

    thread = threading.Thread(target=abandoned, daemon=True)
    thread.start()
    assert repository.stalling.wait(10)
    fetch.abandon()
    repository.release.set()
    thread.join(20)
    assert not thread.is_alive()
    assert missing(folder, wanted) == wanted
