"""Why a broker ended, as far as its log tells."""

import re
import signal

CAUSE = re.compile(r"^(?:Caused by: )?(?:[a-z][\w$]*\.)+[A-Z][\w$]*(?:Error|Exception)\b:?.*")
ERROR = re.compile(r"^[\d-]+ [\d:,]+ (?:ERROR|FATAL) (.*)")
JVM = re.compile(r"^(?:Error|Exception|Unrecognized|Invalid|Could not)\b.*")


def exit_words(status: int) -> str:
    """Of a process: "exit status 1", "SIGKILL"."""
    if status >= 0:
        return f"exit status {status}"
    try:
        return signal.Signals(-status).name
    except ValueError:
        return f"signal {-status}"


def last_cause(log: str) -> str:
    """The last exception of the log, or else its last error, or what the JVM itself complained of; "" if none."""
    lines = log.splitlines()
    for pattern in (CAUSE, ERROR, JVM):
        for line in reversed(lines):
            if match := pattern.match(line):
                return " ".join((match[1] if match.groups() else match[0]).removeprefix("Caused by: ").split())[:300]
    return ""
