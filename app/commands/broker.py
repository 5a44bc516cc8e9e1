"""`python -m app broker [--fresh]`: the private Kafka alone, until a signal. Its address is the one line on stdout."""

import asyncio
import logging
import os
import signal

from app.broker import embedded
from app.errors import ExitCode
from app.log import configure
from app.loop import run as run_loop
from app.settings import Loaded
from app.settings.model import BrokerSettings

log = logging.getLogger(__name__)


def run(loaded: Loaded, *, fresh: bool = False) -> ExitCode:
    configure(loaded.settings.log, secrets=loaded.secrets)
    return run_loop(_hold(loaded.settings.broker, fresh=fresh))


async def _hold(options: BrokerSettings, *, fresh: bool) -> ExitCode:
    signals = _Signals()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, signals.heed)
    try:
        async with embedded(options, fresh=fresh, say=log.info) as broker:
            print(broker.address, flush=True)
            log.info("for other programs: KAFKA_BOOTSTRAP_SERVERS=%s; Ctrl-C ends it", broker.address)
            await broker.died()
    except asyncio.CancelledError:
        if not signals.heard:
            raise
    return ExitCode.OK


class _Signals:
    """The first ends what the task is at, wherever that is; the second ends the process, and the guardian the rest."""

    def __init__(self) -> None:
        self.heard = False
        self._task = asyncio.current_task()

    def heed(self) -> None:
        if self.heard:
            os._exit(ExitCode.INTERRUPTED)
        self.heard = True
        if self._task is not None:
            self._task.cancel()
