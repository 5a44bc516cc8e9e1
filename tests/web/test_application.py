"""The routes and the guard before them, in process."""

import json
from collections.abc import Mapping

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from app.statistics import ServiceStatistics
from app.web import create_app
from tests.web.samples import HOSTILE, WELL, hostile, unwell

EVERY_PATH = ("/", "/livez", "/readyz", "/healthz", "/metrics", "/statistics", "/static/page.js", "/static/page.css")


async def ask(
    path: str,
    statistics: ServiceStatistics = WELL,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    hosts: tuple[str, ...] = (),
) -> httpx.Response:
    transport = httpx.ASGITransport(create_app(lambda: statistics, hosts))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost:8080") as client:
        return await client.request(method, path, headers=headers)


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz"])
async def test_probe_of_a_healthy_service(path: str) -> None:
    answer = await ask(path)
    assert (answer.status_code, answer.text) == (200, "ok\n")


@pytest.mark.parametrize(
    ("path", "text"), [("/livez", "not live\n"), ("/healthz", "not live\n"), ("/readyz", "not ready\n")]
)
async def test_probe_of_an_unhealthy_service(path: str, text: str) -> None:
    answer = await ask(path, unwell())
    assert (answer.status_code, answer.text) == (503, text)


async def test_not_ready_is_still_live() -> None:
    waiting = ServiceStatistics(
        "1", "r", 1.0, 0.0, ("c",), WELL.broker, not_ready=("waiting for Kafka at k:9092: connection refused",)
    )
    assert (await ask("/livez", waiting)).status_code == 200
    assert (await ask("/readyz", waiting)).status_code == 503


async def test_verbose_probe_gives_the_reasons() -> None:
    answer = await ask("/readyz?verbose", unwell())
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "reasons": ["waiting for Kafka", "nothing assigned"]}
    assert (await ask("/livez?verbose=1")).json() == {"live": True, "reasons": []}


@pytest.mark.parametrize("path", [*EVERY_PATH, "/no/such/path"])
async def test_every_answer_carries_the_security_headers(path: str) -> None:
    answer = await ask(path)
    assert answer.status_code == (404 if path == "/no/such/path" else 200)
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; ")
    assert "frame-ancestors 'none'" in policy
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["date"].endswith(" GMT")
    assert "access-control-allow-origin" not in answer.headers


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"])
@pytest.mark.parametrize("path", ["/", "/livez", "/metrics"])
async def test_only_get_is_served(method: str, path: str) -> None:
    answer = await ask(path, method=method)
    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, HEAD"
    assert "content-security-policy" in answer.headers


async def test_head_is_a_get_without_its_body() -> None:
    assert (await ask("/", method="HEAD")).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "LOCALHOST:8080",
        "localhost.",
        "127.0.0.1",
        "127.0.0.1:1",
        "[::1]:8080",
        "127.9.9.9",
        "[2001:DB8::1]:80",
        "Ours.example:80",
    ],
)
async def test_names_of_this_service_are_served(host: str) -> None:
    assert (await ask("/", headers={"host": host}, hosts=("ours.example", "2001:db8:0::1"))).status_code == 200


@pytest.mark.parametrize(
    "host",
    [
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "10.0.0.1",
        "evil.example:8080",
        "localhost:8080@evil.example",
        "localhost/evil",
        "[::2]",
        "::1",
        "",
        "a b",
        "[127.0.0.1",
        "localhost:port",
    ],
)
@pytest.mark.parametrize("path", ["/", "/statistics", "/static/page.js", "/nothing"])
async def test_names_of_others_are_refused(host: str, path: str) -> None:
    assert (await ask(path, headers={"host": host})).status_code == 421


@pytest.mark.parametrize("path", ["/livez", "/readyz", "/healthz", "/metrics"])
async def test_probes_and_scrapers_may_use_any_name(path: str) -> None:
    assert (await ask(path, headers={"host": "10-1-2-3.pod.cluster.local"})).status_code == 200


async def test_a_long_head_and_a_body_are_refused() -> None:
    assert (await ask("/livez", headers={"x-long": "x" * 10_300})).status_code == 431
    assert (await ask("/livez?" + "q" * 10_300)).status_code == 431
    assert (await ask("/livez", headers={"content-length": "5"})).status_code == 413
    assert (await ask("/livez", headers={"transfer-encoding": "chunked"})).status_code == 413


async def test_statistics_as_json() -> None:
    told = (await ask("/statistics")).json()
    assert told["ready"] is True
    assert told["producers"][0]["last"] == 2466
    assert told["consumers"][0]["dead_letters"] == [
        {"reason": "not-json", "count": 3},
        {"reason": "wrong-shape", "count": 1},
    ]
    assert told["consumers"][0]["lag"] == 5
    assert told["broker"]["address"] == "127.0.0.1:39211"


async def test_statistics_keep_every_digit() -> None:
    text = (await ask("/statistics", hostile())).text
    assert '"last":9223372036854775807' in text
    assert json.loads(text)["producers"][0]["last"] == 2**63 - 1


async def test_metrics_are_served_as_prometheus_reads_them() -> None:
    answer = await ask("/metrics", hostile())
    assert answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    families = {family.name: family for family in text_string_to_metric_families(answer.text)}
    assert families["app_consumer_lag"].samples[0].labels["topic"] == HOSTILE


async def test_a_fault_of_ours_is_answered_with_the_headers() -> None:
    def broken() -> ServiceStatistics:
        raise RuntimeError("canary")

    transport = httpx.ASGITransport(create_app(broken), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.get("/")
    assert answer.status_code == 500
    assert "canary" not in answer.text
    assert "content-security-policy" in answer.headers
