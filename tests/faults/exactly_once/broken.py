"""`python -m tests.faults.exactly_once.broken FAULT [DEED:STEP:PASSING]`: the service, done wrong or done to.

FAULT is a name of `sabotage.PATCHES`, "-" for none.
"""

import os
import signal
import sys

if __name__ == "__main__":
    # As the service itself: to be stopped while its modules load is an ordinary end.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))

from app.__main__ import main
from tests.faults.exactly_once.injections import Injection
from tests.faults.exactly_once.sabotage import PATCHES


def sabotaged(words: list[str]) -> None:
    fault, *injections = words
    if fault != "-":
        PATCHES[fault]()
    for text in injections:
        Injection.parse(text).apply()


if __name__ == "__main__":
    sabotaged(sys.argv[1:])
    sys.exit(main([], os.environ))
