"""`python -m app check`: what works on the way to Kafka, and what to change where it does not."""

import sys
from collections.abc import Iterator
from json import dumps
from typing import Any

from app.commands.where import kafka_servers
from app.errors import ExitCode
from app.kafka.faults import Step
from app.kafka.probe import probe
from app.kafka.report import Report, Result
from app.loop import run as run_loop
from app.settings import Loaded, SettingsTree
from app.streams import Topology
from app.topologies import build

_MARKS = {"passed": "✓", "failed": "✗", "remarked": "!"}
_PLAIN_MARKS = {"✓": "ok", "✗": "FAILED", "!": "!", "·": "-"}


def run(loaded: Loaded, *, json: bool = False) -> ExitCode:
    topology = build(loaded.settings) if "streams" in loaded.settings.roles else None
    report = run_loop(_probe(loaded, topology))
    if json:
        text = dumps(as_json(report), indent=2, ensure_ascii=False)
    else:
        text = "\n".join(as_lines(report, loaded.settings))
    print(fitting(redacted(text, loaded.settings), sys.stdout.encoding), flush=True)
    return report.code


async def _probe(loaded: Loaded, topology: Topology | None) -> Report:
    async with kafka_servers(loaded.settings) as servers:
        return await probe(loaded.settings, servers, loaded.files.get("kafka.oauth_token"), topology)


def as_lines(report: Report, settings: SettingsTree) -> Iterator[str]:
    for server in report.servers:
        yield f"Kafka at {server}"
        yield from (_line(result) for result in report.results if result.about == server and _is_connection(result))
    yield from (_line(result) for result in report.results if not _is_connection(result))
    yield from (f"· {step}: not reached" for step in not_reached(report, settings))
    count = len(report.failures)
    if count:
        yield f"{count} step{'s' if count > 1 else ''} failed (exit code {report.code})"
    else:
        yield "every step passed"


def _is_connection(result: Result) -> bool:
    return list(Step).index(result.step) < list(Step).index(Step.METADATA)


def _line(result: Result) -> str:
    mark = _MARKS[result.outcome]
    # A fault's own line names its step.
    return f"{mark} {result.seen}" if result.fault else f"{mark} {result.step}: {result.seen}"


def not_reached(report: Report, settings: SettingsTree) -> list[Step]:
    """The steps that the settings ask for and nobody came to."""
    if not report.failures:
        return []
    protocol = settings.kafka.security_protocol
    skipped = {Step.TLS: not protocol.endswith("SSL"), Step.LOGIN: not protocol.startswith("SASL")}
    seen = {result.step for result in report.results}
    last = max((list(Step).index(step) for step in seen), default=-1)
    return [step for step in list(Step)[last + 1 :] if not skipped.get(step, False)]


def as_json(report: Report) -> dict[str, Any]:
    return {
        "ok": not report.failures,
        "code": int(report.code),
        "servers": list(report.servers),
        "steps": [_as_json(result) for result in report.results],
    }


def _as_json(result: Result) -> dict[str, Any]:
    step: dict[str, Any] = {
        "step": result.step.value,
        "about": result.about,
        "outcome": result.outcome,
        "seen": result.seen,
    }
    if result.fault is not None:
        fault = result.fault
        step |= {"cause": fault.cause, "look_at": list(fault.look_at), "remedy": fault.remedy, "code": int(fault.code)}
    return step


def redacted(text: str, settings: SettingsTree) -> str:
    """Brokers and token endpoints may repeat what they were sent."""
    kafka = settings.kafka
    for secret in (kafka.sasl_password, kafka.ssl_keypassword, kafka.oauth_token, kafka.oauth_client_secret):
        if secret is not None and (plain := secret.get_secret_value()):
            # In JSON a quotation mark or a backslash of it is written otherwise; that form first, for it is longer.
            for form in (dumps(plain, ensure_ascii=False)[1:-1], plain):
                text = text.replace(form, "********")
    return text


def fitting(text: str, encoding: str | None) -> str:
    """Words for marks that the terminal cannot show."""
    try:
        text.encode(encoding or "ascii")
    except UnicodeEncodeError:
        for mark, plain in _PLAIN_MARKS.items():
            text = text.replace(mark, plain)
        return text.encode("ascii", "replace").decode()
    return text
