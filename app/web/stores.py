"""`/stores`: what tables hold, as JSON. What another instance has is fetched from it, one hop away.

Errors are `{"error", "why", "where"}`. A request that an instance hands on carries HOP, and is never handed on again.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias
from urllib.parse import quote, unquote_to_bytes, urlencode

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from app.streams.model import TopicPartition
from app.streams.queries import (
    At,
    Budget,
    Cursor,
    Here,
    InvalidQuestion,
    NoOwner,
    NotHere,
    NotUpToBound,
    Part,
    Place,
    QueryRefused,
    Question,
    Refused,
    StoreRestoring,
    UnknownKey,
    UnknownStore,
    asked,
    positions,
)
from app.web.access import Streams, StreamsAccess
from app.web.peers import PeerAnswer, PeerFailed, ask

HOP = "x-streams-hop"
MOST_HOPS = 8
"""Other instances asked for one page."""
STATUS: Mapping[type[QueryRefused], int] = {
    InvalidQuestion: 400,
    UnknownStore: 404,
    UnknownKey: 404,
    NotHere: 421,
    StoreRestoring: 503,
    NotUpToBound: 503,
    NoOwner: 503,
}

Endpoint: TypeAlias = Callable[[Request], Coroutine[Any, Any, Response]]


def stores(streams: Streams) -> list[Route]:
    """The routes."""

    async def show_stores(request: Request) -> Response:
        if request.query_params:
            raise InvalidQuestion("the list of stores takes no parameters")
        return JSONResponse({"stores": _access(streams).listing()})

    async def show_store(request: Request) -> Response:
        question = asked(request.path_params["name"], None, request.query_params.multi_items())
        return await _Asking(_access(streams), request, question).page()

    async def show_key(request: Request) -> Response:
        name, key = request.path_params["name"], request.path_params["key"]
        question = asked(name, key, request.query_params.multi_items())
        return await _Asking(_access(streams), request, question).key()

    return [
        Route("/stores", _told(show_stores)),
        Route("/stores/{name}", _told(show_store)),
        Route("/stores/{name}/{key:path}", _told(show_key)),
    ]


def steering(streams: Streams) -> list[Route]:
    """Pause and resume."""

    async def pause(_: Request) -> Response:
        access = _access(streams)
        access.pause()
        return JSONResponse({"paused": access.paused})

    async def resume(_: Request) -> Response:
        access = _access(streams)
        access.resume()
        return JSONResponse({"paused": access.paused})

    return [
        Route("/streams/pause", _told(pause), methods=["POST"]),
        Route("/streams/resume", _told(resume), methods=["POST"]),
    ]


def _access(streams: Streams) -> StreamsAccess:
    access = streams()
    if access is None:
        raise NoOwner("the streams role is not running in this process", "APP_ROLES says what is")
    return access


def _told(endpoint: Endpoint) -> Endpoint:
    """Refusals as answers."""

    async def answer(request: Request) -> Response:
        try:
            _refuse_broken_text(request)
            return await endpoint(request)
        except QueryRefused as refused:
            return _error(STATUS[type(refused)], refused.error, refused.why, refused.where)

    return answer


def _refuse_broken_text(request: Request) -> None:
    """Servers read bytes that are no UTF-8 as a replacement character, and a key of such would be another key."""
    try:
        for part in (request.scope["raw_path"], request.scope["query_string"]):
            unquote_to_bytes(part).decode()
    except UnicodeDecodeError as cause:
        raise InvalidQuestion(f"the address is no UTF-8: {cause}", "bytes can be given with key_form=hex") from cause


def _error(status: int, error: str, why: str, where: str) -> Response:
    return JSONResponse({"error": error, "why": why, "where": where}, status, headers=_when_to_ask_again(status))


def _when_to_ask_again(status: int) -> dict[str, str] | None:
    return {"retry-after": "1"} if status in (502, 503, 504) else None


@dataclass(slots=True)
class _Page:
    """What a page has so far."""

    budget: Budget
    rows: list[Any] = field(default_factory=list)
    missing: list[dict[str, Any]] = field(default_factory=list)
    position: dict[str, int] = field(default_factory=dict)
    cursor: str | None = None
    hops: int = 0
    answered: int = 0

    def miss(self, partition: int, why: str, where: str) -> None:
        self.missing.append({"partition": partition, "why": why, "where": where})


class _Asking:
    """One question on its way to its answer."""

    def __init__(self, access: StreamsAccess, request: Request, question: Question) -> None:
        self.access = access
        self.request = request
        self.question = question
        hops = request.headers.getlist(HOP)
        if hops not in ([], ["1"]):
            raise InvalidQuestion(f"{HOP} says {', '.join(hops)[:80]!r}", "it is for instances among themselves")
        self.is_handed_on = bool(hops)
        if self.is_handed_on and question.everywhere and question.partition is None:
            raise InvalidQuestion("a question that was handed on is for one partition")

    async def key(self) -> Response:
        """All there is of one key."""
        question = self.question
        [place] = self.access.places(question)
        match place:
            case At():
                return await self._hand_on(place)
            case Refused():
                raise place.reason
            case Here():
                part = await self._part(place, Budget(question.limit))
        told: dict[str, Any] = {"store": question.store, "partition": place.partition, "standby": place.standby}
        if not part.single:
            cursor = None if part.after is None else Cursor(place.partition, part.after).text()
            told |= {"rows": part.rows, "cursor": cursor}
        elif part.rows:
            told |= part.rows[0]
        else:
            raise UnknownKey(f"partition {place.partition} of store {question.store} has no row of {question.key!r}")
        return JSONResponse({**told, "position": self._position(place)})

    async def page(self) -> Response:
        """Rows of all keys: of the partitions here, or of all."""
        question = self.question
        places = self.access.places(question)
        if question.partition is not None and isinstance(places[0], At):
            return await self._hand_on(places[0])
        page = _Page(Budget(question.limit))
        for place in places:
            if page.cursor is not None:
                break
            if page.budget.spent or page.hops >= MOST_HOPS:
                page.cursor = Cursor(place.partition).text()
                break
            match place:
                case Here():
                    await self._read(place, page)
                case At() if question.everywhere:
                    await self._fetch(place, page)
                case At():
                    page.miss(place.partition, "it is at another instance", ", ".join(place.addresses))
                case Refused():
                    page.miss(place.partition, place.reason.why, place.reason.where)
        # A page that others follow, or that follows others, is one of a walk: that goes on.
        is_only = page.cursor is None and (question.cursor is None or question.partition is not None)
        if not page.answered and page.missing and is_only:
            return self._none_answered(places, page.missing[0])
        return JSONResponse(
            {
                "store": question.store,
                "rows": page.rows,
                "cursor": page.cursor,
                "complete": page.cursor is None and not page.missing,
                "missing": page.missing,
                "position": page.position,
            }
        )

    def _none_answered(self, places: Sequence[Place], missing: Mapping[str, Any]) -> Response:
        for place in places:
            if isinstance(place, Refused):
                raise place.reason
        why = f"partition {missing['partition']}: {missing['why']}"
        if any(isinstance(place, Here) for place in places):
            raise NoOwner(why, missing["where"])
        if self.question.everywhere:
            return _error(502, "the owners do not answer", why, missing["where"])
        raise NotHere(why, f"{missing['where']}, or ask with all=true")

    async def _part(self, place: Here, budget: Budget) -> Part:
        for _ in self.access.preparing(self.question, place):
            await asyncio.sleep(0)
        # Nothing waits from here on: it is one moment of the store.
        return self.access.read(self.question, place, budget)

    async def _read(self, place: Here, page: _Page) -> None:
        try:
            part = await self._part(place, page.budget)
        except NoOwner as left:
            page.miss(place.partition, left.why, left.where)
            return
        page.answered += 1
        page.rows += part.rows
        page.position |= self._position(place)
        if part.after is not None:
            page.cursor = Cursor(place.partition, part.after).text()
        # So many partitions may be here that together they take their time.
        await asyncio.sleep(0)

    async def _fetch(self, place: At, page: _Page) -> None:
        """The partition's rows from the instance that has it."""
        page.hops += 1
        left = [
            (name, text)
            for name, text in self.request.query_params.multi_items()
            if name not in ("all", "limit", "cursor", "partition")
        ]
        left += [("partition", str(place.partition)), ("limit", str(page.budget.rows))]
        cursor = self.question.cursor
        if cursor is not None and cursor.partition == place.partition:
            left.append(("cursor", cursor.text()))
        target = f"/stores/{quote(self.question.store, safe='')}?{urlencode(left)}".encode()
        try:
            answer = await self._peer(place, target)
        except PeerFailed as failed:
            page.miss(place.partition, str(failed), ", ".join(place.addresses))
            return
        told = _read_json(answer)
        if told is None or answer.status != 200 or not _is_page(told, page.budget.rows):
            why = told.get("why") if told is not None and answer.status != 200 else None
            page.miss(place.partition, str(why or f"it answered {answer.status}"), ", ".join(place.addresses))
            return
        page.answered += 1
        page.rows += told["rows"]
        page.position |= told["position"]
        page.cursor = told["cursor"]
        page.budget.rows -= len(told["rows"])
        page.budget.bytes -= len(answer.body)

    async def _hand_on(self, place: At) -> Response:
        """The whole question to the instance that can answer it."""
        if self.is_handed_on:
            raise NotHere(
                f"partition {place.partition} has moved on while the question was handed on", ", ".join(place.addresses)
            )
        scope = self.request.scope
        target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
        try:
            answer = await self._peer(place, target)
        except PeerFailed as failed:
            status = 504 if failed.is_late else 502
            return _error(status, "the owner does not answer", str(failed), ", ".join(place.addresses))
        if _read_json(answer) is None:
            # Not one of us, or one that refuses the name it was asked under.
            why = f"it answered {answer.status}: {answer.body[:200].decode(errors='replace').strip()}"
            return _error(502, "the owner's answer cannot be read", why, ", ".join(place.addresses))
        if answer.status == 421:
            raise NoOwner(f"partition {place.partition} is moving between instances", ", ".join(place.addresses))
        headers = _when_to_ask_again(answer.status)
        return Response(answer.body, answer.status, media_type="application/json", headers=headers)

    async def _peer(self, place: At, target: bytes) -> PeerAnswer:
        """From the first instance that answers. `place` has addresses of the present assignment, and no others."""
        headers = [(HOP.encode(), b"1"), (b"accept", b"application/json")]
        headers += [(name, value) for name, value in self.request.headers.raw if name == b"authorization"]
        *others, last = place.addresses
        for address in others:
            try:
                return await ask(address, target, headers)
            except PeerFailed:
                continue  # a standby may know
        return await ask(last, target, headers)

    def _position(self, place: Here) -> dict[str, int]:
        known: Mapping[TopicPartition, int] = self.access.positions(self.question.store, place)
        return positions.shown(known)


def _read_json(answer: PeerAnswer) -> dict[str, Any] | None:
    try:
        told = json.loads(answer.body)
    except ValueError:
        return None
    return told if isinstance(told, dict) else None


def _is_page(told: Mapping[str, Any], limit: int) -> bool:
    """Whether it is what `_Asking.page` gives: something else may listen there by now."""
    rows, cursor = told.get("rows"), told.get("cursor")
    is_list = isinstance(rows, list) and len(rows) <= limit
    return is_list and isinstance(told.get("position"), dict) and isinstance(cursor, str | None)
