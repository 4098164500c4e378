"""The HTTP routes, with hard limits on what a stranger may send."""

from collections.abc import Callable
from functools import cache

from anyio import fail_after, to_thread
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from connector.metrics import CONTENT_TYPE
from connector.web.together import Together
from connector.webhook import ACCEPTED, BUSY, Call, WebhookIntake

MOST_BYTES = 1 << 20
"""A webhook's body: every platform stays far below, and nobody can fill our memory."""

BODY_SECONDS = 5.0
"""For a request's body, as for its headers: who dawdles must not hold a connection, or our end."""

RETRY_AFTER = "30"
"""Seconds. Platforms that give up at a minute or more still come back."""

_WORDS = {ACCEPTED: "accepted", BUSY: "busy, try again later"}


def create(
    intake: WebhookIntake,
    counts: Callable[[], bytes],
    unready: Callable[[], str],
) -> Starlette:
    """Give the ASGI application.

    `counts` gives the metrics' text; `unready` names what is still missing, or is empty.
    """
    together = Together(intake)

    async def hook(request: Request) -> Response:
        body = await _body(request)
        if isinstance(body, Response):
            return body
        headers = {name.lower(): value for name, value in request.headers.items()}
        tenant = request.path_params["tenant"]
        status = await together.take(Call(tenant, body, headers))
        return _answer(status, _WORDS.get(status, "refused"))

    async def alive(_: Request) -> Response:
        return _answer(200, "alive")

    async def ready(_: Request) -> Response:
        missing = unready()
        return _answer(503, missing) if missing else _answer(200, "ready")

    async def metrics(_: Request) -> Response:
        return PlainTextResponse(await to_thread.run_sync(counts), media_type=CONTENT_TYPE)

    return Starlette(
        routes=[
            Route("/hooks/{tenant}", hook, methods=["POST"]),
            Route("/healthz", alive),
            Route("/readyz", ready),
            Route("/metrics", metrics),
        ]
    )


async def _body(request: Request) -> bytes | Response:
    """Read the raw body, or give the answer that refuses it."""
    if request.headers.get("content-encoding"):
        return _answer(415, "send the body without a Content-Encoding")
    try:
        with fail_after(BODY_SECONDS):
            body = await _limited(request, MOST_BYTES)
    except TimeoutError:
        return _answer(408, "the body came too slowly")
    except ClientDisconnect:  # or chunks that are none
        return _answer(400, "the body is cut short")
    return _answer(413, "the body is larger than 1 MiB") if body is None else body


async def _limited(request: Request, limit: int) -> bytes | None:
    """Read the raw body, `None` as soon as it is larger than allowed."""
    body = bytearray()
    async for piece in request.stream():
        body += piece
        if len(body) > limit:
            return None
    return bytes(body)


@cache
def _answer(status: int, word: str) -> Response:
    headers = {"Retry-After": RETRY_AFTER} if status == BUSY else None
    return JSONResponse({"status": word}, status_code=status, headers=headers)
