"""A topology that begins anew: `python -m app reset --execute` between two runs of the same command."""

import asyncio
import signal
import uuid
from pathlib import Path

from app.errors import ExitCode
from tests.faults.lives import living
from tests.service import get, is_ready, service, wait_until
from tests.tail import Tail, tailing
from tests.worker.lived_in import counting, environment
from tests.worker.working import Site

WORDS = [(b"k%d" % (number % 5), b"w") for number in range(200)]
AGAIN = sorted((key, nth) for key in {key for key, _ in WORDS} for nth in range(1, 41))


def counts(outputs: Tail, how_many: int) -> list[tuple[bytes, int]]:
    records = outputs.until(lambda found: len(found) >= how_many, f"{how_many} counts")
    return sorted((record.key, int.from_bytes(record.value, "big")) for record in records)


def test_after_a_reset_everything_comes_again_from_the_beginning(kafka: str, tmp_path: Path) -> None:
    name = f"again-{uuid.uuid4().hex[:8]}"
    site = Site(kafka, tmp_path, lambda builder, here: counting(builder, here.topic("in")), name=name)
    site.create("in", "in-out")
    asyncio.run(site.send("in", WORDS))
    settings = environment(kafka, name, site.topic("in"), tmp_path / "state")
    local = tmp_path / "state" / name
    with tailing(kafka, site.topic("in-out")) as first:
        with service(tmp_path, settings) as (life, port):
            assert counts(first, len(WORDS)) == AGAIN
            wait_until("ready", lambda: is_ready(port))
            refused = reset(tmp_path, settings)
            assert refused[0] == ExitCode.TRY_AGAIN
            assert "instances run: end them first" in refused[1]
            assert get(port, "/stores/counts/k0")[0] == 200, "nothing was touched"
            assert life.end(signal.SIGTERM)[0] == 0
        with service(tmp_path, settings) as (life, port):
            wait_until("ready", lambda: is_ready(port))
            assert life.end(signal.SIGTERM)[0] == 0
        first.more(timeout_ms=300)
        assert len(first.records) == len(WORDS), "without a reset nothing comes again"
    assert local.exists()
    code, plan = reset(tmp_path, settings)
    assert (code, f"deleted {local}" in plan, local.exists()) == (ExitCode.OK, True, False)
    with tailing(kafka, site.topic("in-out")) as second, service(tmp_path, settings) as (life, port):
        assert counts(second, len(WORDS)) == AGAIN
        assert get(port, "/stores/counts/k0")[0] == 200
        assert life.end(signal.SIGTERM)[0] == 0
        assert not any("Traceback" in log.read_text() for log in tmp_path.glob("*.log"))


def reset(folder: Path, settings: dict[str, str]) -> tuple[int, str]:
    """The exit code, and everything said."""
    with living(folder, settings, "reset", "--execute") as command:
        code = command.process.wait(30)
    return code, command.output.read_text() + command.log.read_text()
