"""Who may ask about stores and steer."""

from __future__ import annotations

from typing import Any

import httpx
import pytest

from app.errors import ConfigError
from app.settings.model import HttpSettings
from app.web import bind, serve, url
from app.web.authority import Authority
from app.web.server import is_exposed
from app.worker.queries import Queries
from tests.web.asking import ask, pair
from tests.web.samples import WELL
from tests.worker.instances import Instance, counting, key_of


class TestSteering:
    async def test_pause_and_resume(self) -> None:
        one = Instance("one", counting())
        answer = await ask(one, "/streams/pause", "POST")
        assert answer.json() == {"paused": True}
        assert one.paused
        assert (await ask(one, "/streams/resume", "POST")).json() == {"paused": False}
        assert not one.paused

    @pytest.mark.parametrize(
        ("headers", "status"),
        [
            ({}, 200),
            ({"origin": "http://localhost:8080"}, 200),
            ({"origin": "https://localhost:8080", "sec-fetch-site": "same-origin"}, 200),
            ({"origin": "http://localhost"}, 403),
            ({"origin": "http://localhost:9090"}, 403),
            ({"origin": "http://evil.example"}, 403),
            ({"origin": "null"}, 403),
            ({"origin": ""}, 403),
            ({"sec-fetch-site": "cross-site"}, 403),
            ({"sec-fetch-site": "same-site"}, 403),
            ({"host": "evil.example", "origin": "http://evil.example"}, 421),
            ({"content-length": "3"}, 413),
        ],
    )
    async def test_no_other_site_can_post(self, headers: dict[str, str], status: int) -> None:
        one = Instance("one", counting())
        answer = await ask(one, "/streams/pause", "POST", headers=headers)
        assert answer.status_code == status
        assert one.paused is (status == 200)

    async def test_what_else_can_be_posted_or_got(self) -> None:
        one = Instance("one", counting())
        assert (await ask(one, "/stores", "POST")).status_code == 405
        assert (await ask(one, "/streams/other", "POST")).status_code == 405
        assert (await ask(one, "/streams/pause", "PUT")).status_code == 405
        answer = await ask(one, "/streams/pause")
        assert answer.status_code == 405
        assert not one.paused
        assert answer.headers["allow"] == "POST"
        assert (await ask(one, "/streams/pause", "DELETE")).headers["allow"] == "POST"


RIGHT, WRONG = {"authorization": "Bearer s3cret-s3cret"}, {"authorization": "Bearer s3cret"}
GUARDED = (("GET", "/stores"), ("GET", "/stores/counts"), ("GET", "/stores/counts/a"), ("HEAD", "/stores"),
           ("POST", "/streams/pause"), ("POST", "/streams/resume"))  # fmt: skip


class TestAuthority:
    @pytest.mark.parametrize(("method", "path"), GUARDED)
    @pytest.mark.parametrize(
        ("authority", "headers", "is_let_in"),
        [
            (Authority(), {}, True),
            (Authority(exposed=True), {}, False),
            (Authority(exposed=True), RIGHT, False),
            (Authority("s3cret-s3cret"), {}, False),
            (Authority("s3cret-s3cret"), RIGHT, True),
            (Authority("s3cret-s3cret", exposed=True), {}, False),
            (Authority("s3cret-s3cret", exposed=True), WRONG, False),
            (Authority("s3cret-s3cret", exposed=True), {"authorization": "Bearer s3cret-s3crét"}, False),
            (Authority("s3cret-s3cret", exposed=True), {"authorization": "Basic s3cret-s3cret"}, False),
            (Authority("s3cret-s3cret", exposed=True), {"authorization": "s3cret-s3cret"}, False),
            (Authority("s3cret-s3cret", exposed=True), [*RIGHT.items(), *RIGHT.items()], False),
            (Authority("s3cret-s3cret", exposed=True), {"authorization": "bearer  s3cret-s3cret"}, True),
        ],
    )
    async def test_who_is_let_in(
        self, method: str, path: str, authority: Authority, headers: Any, is_let_in: bool
    ) -> None:
        one = Instance("one", counting())
        answer = await ask(one, path, method, headers=encoded(headers), authority=authority)
        assert (answer.status_code != 403) is is_let_in
        if not is_let_in and method != "HEAD":
            assert "APP_HTTP__TOKEN" in answer.json()["where"]
        if not is_let_in:
            assert not one.paused
            assert "s3cret" not in answer.text

    @pytest.mark.parametrize("path", ["/", "/livez", "/readyz", "/metrics", "/statistics", "/storesx"])
    async def test_the_rest_is_open_as_ever(self, path: str) -> None:
        answer = await ask(Instance("one", counting()), path, authority=Authority(exposed=True))
        assert answer.status_code == (404 if path == "/storesx" else 200)

    @pytest.mark.parametrize(("host", "status"), [("127.0.0.1", 200), ("0.0.0.0", 403)])  # noqa: S104
    async def test_by_the_address_that_it_listens_on(self, host: str, status: int) -> None:
        listener = bind(HttpSettings(host=host, port=0), port_was_set=True)
        one = Instance("one", counting())
        async with serve(listener, lambda: WELL, streams=lambda: Queries(one)), httpx.AsyncClient() as client:
            assert (await client.get(url(listener) + "stores")).status_code == status
            assert (await client.post(url(listener) + "streams/pause")).status_code == status
            assert (await client.get(url(listener) + "readyz")).status_code == 200

    @pytest.mark.parametrize(
        ("address", "exposed"),
        [
            ("127.0.0.1", False),
            ("127.0.0.2", False),
            ("localhost", False),
            ("::1", False),
            ("::ffff:127.0.0.1", False),
            ("0.0.0.0", True),  # noqa: S104
            ("::", True),
            ("::ffff:0.0.0.0", True),
        ],
    )
    def test_what_others_can_connect_to(self, address: str, exposed: bool) -> None:
        try:
            listener = bind(HttpSettings(host=address, port=0), port_was_set=True)
        except ConfigError:
            assert ":" in address or address == "127.0.0.2", "a machine without IPv6, or with one loopback address"
            return
        with listener:
            assert is_exposed(listener) is exposed

    async def test_the_token_goes_with_a_question_that_is_handed_on(self) -> None:
        async with pair("s3cret-s3cret") as both:
            path = f"/stores/counts/{key_of(2)}"
            assert (await both.get(path)).status_code == 403
            assert (await both.get(path, **RIGHT)).json()["value"] == 3
            assert (await both.get("/stores/counts?all=true", **RIGHT)).json()["complete"] is True

    def test_a_token_is_not_shown(self) -> None:
        assert "s3cret" not in repr(Authority("s3cret"))


def encoded(headers: Any) -> list[tuple[bytes, bytes]]:
    pairs = headers.items() if isinstance(headers, dict) else headers
    return [(name.encode(), value.encode()) for name, value in pairs]
