"""WebSockets: what changes is pushed.

`/ws` and `/ws/metrics` send the summary of the last 24 hours as `{"type": "metrics_update", "payload": ...}`, at once
and whenever it changes. `/api/live` sends `{"type": "change", "seq": n, "kinds": [...], "pipelines": [ids], "builds":
[ids], "alerts": [ids]}`; a list that is null means many. The first message there is `{"type": "hello", "seq": n}`, or
with `?since=n` what has changed since then; `{"type": "reset"}` says that everything has to be looked at again, and
`{"type": "alive"}`, when nothing has changed for 25 seconds, that the connection is there.
Nothing is expected from the client, and what it sends is ignored.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from datetime import datetime
from typing import Annotated

import orjson
from fastapi import APIRouter, FastAPI, Query, WebSocket
from fastapi.websockets import WebSocketDisconnect

from store.engine import Session
from store.errors import StoreError
from web.access.gate import away
from web.access.scopes import Caller, Reader
from web.live.broadcast import Broadcast, ChangeListener, Full, Listener, Pace, SummaryListener
from web.problems import problem
from web.reading.remembered import Remembered
from web.reading.summaries import run_summary
from web.site import Site

PROTOCOL = "buildwatch"  # beside `bearer.TOKEN`: see web.access.recognition
TRY_AGAIN_LATER = 1013
SERVICE_RESTART = 1012
MINUTES = 1440
BETWEEN = 0.02  # seconds between two messages of a client that are read: nothing is expected from them
LARGEST_SEQ = 2**53


def router_of(site: Site, pace: Pace | None = None) -> APIRouter:
    """The routes."""
    broadcast = Broadcast(site, lambda session: update(session, site.remembered, site.now()), pace or Pace())

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        del app
        yield
        await broadcast.close()

    router = APIRouter(lifespan=lifespan)

    @router.websocket("/ws")
    @router.websocket("/ws/metrics")
    async def follow_metrics(websocket: WebSocket, caller: Reader) -> None:
        """The summary, now and at every change."""
        await _serve(websocket, broadcast, SummaryListener(), site, caller=caller)

    @router.websocket("/api/live")
    async def follow_changes(
        websocket: WebSocket, caller: Reader, since: Annotated[int | None, Query(ge=0, le=LARGEST_SEQ)] = None
    ) -> None:
        """What changes, by number."""
        await _serve(websocket, broadcast, ChangeListener(), site, caller=caller, since=since)

    return router


def update(session: Session, remembered: Remembered, now: datetime) -> str:
    """The message with the summary that GET /api/metrics/summary answers."""
    return orjson.dumps({"type": "metrics_update", "payload": run_summary(session, remembered, now, MINUTES)}).decode()


async def _serve(
    websocket: WebSocket,
    broadcast: Broadcast,
    listener: Listener,
    site: Site,
    *,
    caller: Caller,
    since: int | None = None,
) -> None:
    try:
        broadcast.join(listener)
    except Full:
        answer = problem(503, "too many clients are connected: try again later", headers={"Retry-After": "30"})
        await websocket.send_denial_response(answer)
        return
    try:
        greeting = await _greeting(broadcast, listener, since)
    except StoreError:
        broadcast.leave(listener)
        await websocket.send_denial_response(away())
        return
    except BaseException:
        broadcast.leave(listener)
        raise
    try:
        # Browsers need to have one of the protocols accepted that they offered.
        await websocket.accept(subprotocol=PROTOCOL if PROTOCOL in websocket.scope["subprotocols"] else None)
        until = broadcast.pace.session if caller.csrf is not None else None
        await talk(websocket, broadcast, listener, greeting, site, until=until)
    finally:
        broadcast.leave(listener)


async def _greeting(broadcast: Broadcast, listener: Listener, since: int | None) -> str | None:
    """What is said first; None: the listener says it."""
    if listener.wants_summary:
        listener.put(await broadcast.summary())
        return None
    if since is not None:
        return (await broadcast.catch_up(since)).text
    return orjson.dumps({"type": "hello", "seq": (await broadcast.greet()).seq}).decode()


async def talk(
    websocket: WebSocket,
    broadcast: Broadcast,
    listener: Listener,
    greeting: str | None,
    site: Site,
    *,
    until: float | None = None,
) -> None:
    """Until the client goes, takes nothing for too long, or has to show again that it may listen.

    That is when the tokens and people of `web.auth` are others, and after `until` seconds.
    """
    tasks = {
        asyncio.ensure_future(hear(websocket)),
        asyncio.ensure_future(_tell(websocket, listener, greeting, broadcast.pace)),
        asyncio.ensure_future(_watch_access(site, broadcast.pace.refresh, until)),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    code = next((code for code in [task.result() for task in done] if code is not None), None)
    if code is not None:
        with suppress(TimeoutError, WebSocketDisconnect, RuntimeError):
            async with asyncio.timeout(1):
                await websocket.close(code)


async def hear(websocket: WebSocket) -> None:
    """What the client says is ignored, and not read faster than this; returns when it has gone.

    Pongs are only read while somebody reads: who says too much has no time for them, and is dropped.
    """
    while (await websocket.receive())["type"] != "websocket.disconnect":  # noqa: ASYNC110  (a pause, not a poll)
        await asyncio.sleep(BETWEEN)


async def _tell(websocket: WebSocket, listener: Listener, greeting: str | None, pace: Pace) -> int | None:
    """Send what there is; returns why it ends."""
    text = greeting
    while True:
        if text is None:
            text = await _next(listener, pace.beat)
        try:
            async with asyncio.timeout(pace.patience):
                await websocket.send_text(text)
        except TimeoutError:
            return TRY_AGAIN_LATER
        except WebSocketDisconnect:
            return None
        text = None


async def _next(listener: Listener, beat: float) -> str:
    while True:
        try:
            async with asyncio.timeout(beat):
                return await listener.take()
        except TimeoutError:
            if (alive := listener.beat()) is not None:
                return alive


async def _watch_access(site: Site, every: float, until: float | None) -> int:
    """Returns when it is a question again who may listen: whoever still may connects again."""
    access = site.settings().access
    with suppress(TimeoutError):
        async with asyncio.timeout(until):
            while site.settings().access == access:  # noqa: ASYNC110  (nobody tells us)
                await asyncio.sleep(every)
    return SERVICE_RESTART
