"""The service, which kills itself in mid-transaction when it is told to: `python -m benchmarks.race.dying STEP`.

SIGUSR1 tells it to; it dies at the next STEP, a name of `Step`: as by kill -9, with the transaction in that state.
"""

import os
import signal
import sys
from dataclasses import replace

from app.__main__ import main
from app.kafka import transactions
from app.kafka.compat import Kip447Producer
from app.kafka.failpoints import Step


def dies_at(wanted: Step) -> None:
    told = False

    def tell(_signal: int, _frame: object) -> None:
        nonlocal told
        told = True

    def reached(step: Step) -> None:
        if told and step is wanted:
            os.kill(os.getpid(), signal.SIGKILL)

    class Dying(transactions.TransactionalProducer):
        def __init__(self, producer: Kip447Producer, options: transactions.TransactionOptions) -> None:
            super().__init__(producer, replace(options, failpoint=reached))

    transactions.TransactionalProducer = Dying  # type: ignore[misc]
    signal.signal(signal.SIGUSR1, tell)


if __name__ == "__main__":
    dies_at(Step[sys.argv[1]])
    sys.exit(main([], os.environ))
