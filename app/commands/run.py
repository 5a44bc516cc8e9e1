"""`python -m app [run]`: every role in one process, until a signal."""

from app import service
from app.errors import ExitCode
from app.log import configure
from app.loop import run as run_loop
from app.settings import Loaded


def run(loaded: Loaded, *, fresh: bool = False) -> ExitCode:
    configure(loaded.settings.log, secrets=loaded.secrets)
    return run_loop(service.run(loaded, fresh=fresh))
