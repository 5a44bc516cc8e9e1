"""Is it alive, is it ready: what an orchestrator asks. Never anything that waits, so that a probe takes no time."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.statistics import ServiceStatistics


def probes(statistics: Callable[[], ServiceStatistics]) -> list[Route]:
    async def livez(request: Request) -> Response:
        return _answer(request, "live", statistics().not_live)

    async def readyz(request: Request) -> Response:
        return _answer(request, "ready", statistics().not_ready)

    return [Route("/livez", livez), Route("/healthz", livez), Route("/readyz", readyz)]


def _answer(request: Request, what: str, reasons: tuple[str, ...]) -> Response:
    status = 503 if reasons else 200
    if "verbose" in request.query_params:
        return JSONResponse({what: not reasons, "reasons": reasons}, status)
    return PlainTextResponse(f"not {what}\n" if reasons else "ok\n", status)
