"""The page as it is without a script."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from importlib.resources import files

import pytest

from app.web.facts import duration, facts
from app.web.page import page, shown
from tests.web.samples import STREAMS, WELL, hostile, unwell

VOID = {"meta", "link", "img", "br", "hr", "input"}


class Outline(HTMLParser):
    """Elements, attributes and text; fails on elements that do not nest."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return "".join(self.words)


def test_it_shows_what_runs_where_and_the_last_numbers() -> None:
    text = Outline(page(facts(WELL))).text
    for expected in ("127.0.0.1:39211", "/var/log/broker.log", "2,466", "1,234", '{"A": 2466}', "1,200", "not-json"):
        assert expected in text
    assert "1 h 2 min" in text
    assert "ready" in text


def test_it_shows_the_processing() -> None:
    outline = Outline(page(facts(WELL)))
    for expected in (
        "kafka-demo-streams", "rebalancing", "7,777", "1,234/s", "12.5 ms", "20.0 ms", "80.0 ms", "4,321", "250,000/s",
        "numtest1-0", "2023-11-14 22:13:20.123", "totals", "31,415", "Sub-topology: 0", "http://10.0.0.2:8080",
        "the broker went away",
    ):  # fmt: skip
        assert expected in outline.text
    states = [attributes.get("data-state") for _, attributes in outline.elements]
    assert {"running", "restoring"} <= set(states)
    assert "paused" in Outline(page(facts(replace(WELL, streams=replace(STREAMS, paused=True))))).text


def test_without_a_stream_engine_there_is_none_to_show() -> None:
    html = page(facts(replace(WELL, streams=None)))
    assert '<div class="cards" data-list="streams"></div>' in html


def test_it_says_why_the_service_is_not_ready() -> None:
    text = Outline(page(facts(unwell()))).text
    assert "not ready" in text
    assert "waiting for Kafka" in text


def test_hostile_text_stays_text() -> None:
    quiet, loud = Outline(page(facts(unwell()))), Outline(page(facts(hostile())))
    assert {tag for tag, _ in loud.elements} <= {tag for tag, _ in quiet.elements}
    assert not any("onerror" in attributes for _, attributes in loud.elements)
    assert "<img src=x onerror=alert(1)>" in loud.text  # to be read, not run
    assert "\\u202e" in loud.text
    assert "\\x1b[31m" in loud.text
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x1b]", loud.text)
    assert "x" * 1000 not in loud.text


def test_nothing_on_it_breaks_its_own_policy() -> None:
    for tag, attributes in Outline(page(facts(WELL))).elements:
        assert not any(name == "style" or name.startswith("on") for name in attributes)
        assert tag != "style"
        if tag == "script":
            assert attributes["src"] == "/static/page.js"
        for address in (attributes.get("src"), attributes.get("href")):
            assert address is None or re.fullmatch(r"/[\w/.?]*", address)


def test_without_a_script_it_reloads_itself() -> None:
    assert '<noscript><meta http-equiv="refresh" content="2"></noscript>' in page(facts(WELL))


def test_every_fact_and_row_that_the_script_fills_is_there() -> None:
    told = facts(WELL)
    rows = {"producers": told["producers"][0], "consumers": told["consumers"][0]}
    rows |= {name: rows["consumers"][name][0] for name in ("partitions", "dead_letters")}
    rows |= {"streams": told["streams"][0]}
    rows |= {name: told["streams"][0][name][0] for name in ("tasks", "stores")}
    html = page(told)
    for name, row in rows.items():
        template = html.partition(f'<template id="row-{name}">')[2].partition("</template>")[0]
        assert template
        for wanted in re.findall(r'data-(?:f|s|list)="([^"]+)"', template):
            assert wanted in row or wanted == "text"
    for name in set(re.findall(r'data-list="([^"]+)"', html)):
        assert f'id="row-{name}"' in html


def test_the_script_writes_text_only() -> None:
    script = files("app.web").joinpath("static", "page.js").read_text()
    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|eval|Function\(", script)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.9, "0 s"),
        (59, "59 s"),
        (65, "1 min 5 s"),
        (7200, "2 h 0 min"),
        (90_000, "1 d 1 h"),
        (90_000_000, "1041 d 16 h"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_shown() -> None:
    assert [shown(value) for value in (None, "", 1234567, -5, "a")] == ["—", "—", "1,234,567", "-5", "a"]
