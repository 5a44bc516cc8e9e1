"""The page: what runs, where, and the last numbers. Written out here in full; `static/page.js` only refreshes it.

An element that shows a fact carries the fact's name (`data-f`, `data-s` for its colour), a list its name (`data-list`),
with a `<template>` for its rows. The script fills the same elements from `/statistics`: their structure is told here.
"""

from collections.abc import Callable
from html import escape
from importlib.resources import files

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from app.web.facts import Facts

_MEDIA_TYPES = {"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"}


def static() -> list[Route]:
    """Routes of the page's files, read once."""
    return [Route(f"/static/{name}", _file(name, media_type)) for name, media_type in _MEDIA_TYPES.items()]


def _file(name: str, media_type: str) -> Callable[[Request], Response]:
    content = files("app.web").joinpath("static", name).read_bytes()

    async def show(_: Request) -> Response:
        return Response(content, media_type=media_type)

    return show  # type: ignore[return-value]  # Starlette types an endpoint as any callable


def page(facts: Facts) -> str:
    title = "Numbers through Kafka"
    return f"""<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<link rel="icon" href="/static/icon.svg" type="image/svg+xml">
<link rel="stylesheet" href="/static/page.css">
<script src="/static/page.js" defer></script>
<noscript><meta http-equiv="refresh" content="2"></noscript>
</head>
<body>
<header>
<h1>{title}</h1>
<div class="health" role="status" data-s="readiness" data-state="{escape(facts["readiness"])}">\
{_field(facts, "readiness", "strong")}{_list(facts, "not_ready", _text, tag="ul")}</div>
<p class="about">version {_field(facts, "version")} · up {_field(facts, "uptime")} · \
event loop late by {_field(facts, "loop_lag")} at most · run {_field(facts, "run_id", "code")}</p>
</header>
<p id="stale" role="alert" hidden>The service does not answer. These are its last numbers.</p>
<main>
<section class="producers" aria-labelledby="producers">
<h2 id="producers">Producers</h2>
{_list(facts, "producers", _producer, "cards")}
</section>
<section class="kafka" aria-labelledby="kafka">
<h2 id="kafka">Kafka</h2>
{_broker(facts)}
</section>
<section class="consumers" aria-labelledby="consumers">
<h2 id="consumers">Consumers</h2>
{_list(facts, "consumers", _consumer, "cards")}
</section>
<section class="streams" aria-labelledby="streams">
<h2 id="streams">Processing</h2>
{_list(facts, "streams", _streams, "cards")}
</section>
</main>
<footer>
<nav aria-label="For machines"><a href="/readyz?verbose">/readyz</a> <a href="/livez?verbose">/livez</a> \
<a href="/metrics">/metrics</a> <a href="/statistics">/statistics</a></nav>
<div>Roles in this process: {_list(facts, "roles", _text, "chips", "ul")}</div>
</footer>
{"".join(f'<template id="row-{name}">{row({})}</template>' for name, row in _ROWS.items())}
</body>
</html>
"""


def _producer(facts: Facts) -> str:
    return f"""<article class="card">
<h3>{_field(facts, "name")} {_state(facts)}</h3>
<p class="number">{_field(facts, "last", "output")}</p>
<p class="caption">the last number that Kafka confirmed</p>
<dl>
{_pair("Confirmed", _field(facts, "acknowledged"))}
{_pair("Due, not confirmed", _field(facts, "backlog"))}
{_pair("Sent again", _field(facts, "failures"))}
</dl>
</article>"""


def _broker(facts: Facts) -> str:
    return f"""<article class="card">
<h3>{_field(facts, "broker.address", "code")} {_state(facts, "broker.connection")}</h3>
<p>{_field(facts, "broker.kind")}</p>
<dl>
{_pair("Its log", _field(facts, "broker.log", "code"))}
</dl>
</article>"""


def _consumer(facts: Facts) -> str:
    return f"""<article class="card">
<h3>{_field(facts, "name")} {_state(facts)}</h3>
<p class="number">{_field(facts, "printed", "output")}</p>
<p class="caption">printed from topic {_field(facts, "topic", "code")} as a member of group \
{_field(facts, "group", "code")}</p>
<dl class="pairs">
{_pair("Behind", _field(facts, "lag"))}
{_pair("Dead letters", _field(facts, "dead"))}
{_pair("Commits", _field(facts, "commits"))}
{_pair("Rebalances", _field(facts, "rebalances"))}
</dl>
<h4>Last printed</h4>
{_list(facts, "last", _line, "lines", "ol")}
{_list(facts, "dead_letters", _dead_letter, "letters")}
<table>
<caption>Partitions of this member</caption>
<thead><tr><th scope="col">Topic</th><th scope="col">Partition</th><th scope="col">Next offset</th>\
<th scope="col">Behind</th></tr></thead>
{_list(facts, "partitions", _partition, tag="tbody")}
</table>
</article>"""


def _partition(facts: Facts) -> str:
    names = ("topic", "partition", "position", "lag")
    return f"<tr>{''.join(_field(facts, name, 'td') for name in names)}</tr>"


def _dead_letter(facts: Facts) -> str:
    return f"<p>Dead letters, {_field(facts, 'reason')}: {_field(facts, 'count')}</p>"


def _line(facts: Facts) -> str:
    return f"<li>{_field(facts, 'text', 'code')}</li>"


def _streams(facts: Facts) -> str:
    return f"""<article class="card">
<h3>{_field(facts, "application_id")} {_state(facts, "activity")}</h3>
<p class="number">{_field(facts, "processed", "output")}</p>
<p class="caption">records taken, {_field(facts, "rate")} now, {_field(facts, "guarantee")}</p>
{_list(facts, "last_error", _text, "letters")}
<dl class="pairs">
{_pair("Behind", _field(facts, "lag"))}
{_pair("Rows written", _field(facts, "produced"))}
{_pair("Dropped", _field(facts, "dropped"))}
{_pair("Dead letters", _field(facts, "dead"))}
{_pair("Commits", _field(facts, "commits"))}
{_pair("Commit, last", _field(facts, "commit_last"))}
{_pair("Commit, mean", _field(facts, "commit_mean"))}
{_pair("Commit, longest", _field(facts, "commit_max"))}
{_pair("Transactions failed", _field(facts, "failed"))}
{_pair("Rebalances", _field(facts, "rebalances"))}
{_pair("Still to restore", _field(facts, "restore_remaining"))}
{_pair("Restored", _field(facts, "restored"))}
{_pair("Restoring", _field(facts, "restore_rate"))}
{_pair("Standbys behind", _field(facts, "standby_lag"))}
</dl>
{_table("Tasks here", ("Task", "Phase", "Taken", "Dropped", "Waiting", "Behind", "Event time", "Reads"))}
{_list(facts, "tasks", _task, tag="tbody")}
</table>
{_table("Stores here", ("Store", "Kind", "Task", "Rows", "Uncommitted", "To restore"))}
{_list(facts, "stores", _store, tag="tbody")}
</table>
<p class="caption">What they hold: <a href="/stores">/stores</a></p>
<details>
<summary>Topology</summary>
{_list(facts, "topology", _line, "description", "ol")}
</details>
<h4>Other instances</h4>
{_list(facts, "peers", _text, "chips", "ul")}
</article>"""


def _table(caption: str, heads: tuple[str, ...]) -> str:
    cells = "".join(f'<th scope="col">{head}</th>' for head in heads)
    return f"<table>\n<caption>{caption}</caption>\n<thead><tr>{cells}</tr></thead>"


def _task(facts: Facts) -> str:
    cells = [
        _field(facts, name, "td") for name in ("processed", "dropped", "buffered", "lag", "stream_time", "sources")
    ]
    return f"<tr>{_field(facts, 'task', 'td')}<td>{_state(facts, 'phase')}</td>{''.join(cells)}</tr>"


def _store(facts: Facts) -> str:
    names = ("name", "kind", "task", "rows", "dirty", "lag")
    return f"<tr>{''.join(_field(facts, name, 'td') for name in names)}</tr>"


def _fault(facts: Facts) -> str:
    return f"<p>The last transaction that failed: {_field(facts, 'text')}</p>"


def _text(facts: Facts) -> str:
    return f"<li>{_field(facts, 'text')}</li>"


_ROWS: dict[str, Callable[[Facts], str]] = {
    "producers": _producer,
    "consumers": _consumer,
    "partitions": _partition,
    "dead_letters": _dead_letter,
    "last": _line,
    "not_ready": _text,
    "roles": _text,
    "streams": _streams,
    "tasks": _task,
    "stores": _store,
    "topology": _line,
    "peers": _text,
    "last_error": _fault,
}


def _list(facts: Facts, name: str, row: Callable[[Facts], str], kind: str = "", tag: str = "div") -> str:
    # No white space when it is empty: the style sheet says so with `:empty`.
    rows = "".join(row(each if isinstance(each, dict) else {"text": each}) for each in facts.get(name, ()))
    return f'<{tag} class="{kind or name}" data-list="{name}">{rows}</{tag}>'


def _pair(term: str, value: str) -> str:
    return f"<div><dt>{term}</dt><dd>{value}</dd></div>"


def _state(facts: Facts, name: str = "state") -> str:
    state = escape(str(_fact(facts, name)))
    return f'<span class="state" data-s="{name}" data-state="{state}">{_field(facts, name)}</span>'


def _field(facts: Facts, name: str, tag: str = "span") -> str:
    return f'<{tag} data-f="{name}">{escape(shown(_fact(facts, name)))}</{tag}>'


def _fact(facts: Facts, path: str) -> object:
    value: object = facts
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def shown(value: object) -> str:
    match value:
        case None | "":
            return "—"
        case int():
            return f"{value:,}"
        case _:
            return str(value)
