"""A practice desk whole: its calls behind a real HTTP server, to open, reach and break."""

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Protocol, Self

from adapters.practice.control import SharedCalls
from adapters.practice.exchange import Fault, Refusal, Reply, Request, Senseless
from adapters.practice.server import DeskServer, Route, dispatch

LOOPBACK = "127.0.0.1"


class Api(Protocol):
    """A platform's API, in its own words; its methods are called under the desk's lock."""

    def answer(self, request: Request) -> Reply:
        """Answer a call to a caller who is known; raises `Refusal`."""

    def empty_page(self, request: Request) -> Reply:
        """Answer a list with no row and the news that there are more."""

    def limits(self, granted: int) -> Mapping[str, str]:
        """Count a call and give the headers that tell of it; raises `Refusal` over the limit.

        `granted` is what the settings say, 0 where they say nothing.
        """

    def refusal(self, status: HTTPStatus, why: str) -> Refusal:
        """Make a refusal of a call that makes no sense."""


class Desk:
    """Dispatches a call to what answers it, having met the mishap that waits for it."""

    def __init__(
        self, lock: threading.RLock, api: Api, control: Sequence[Route], shared: SharedCalls
    ) -> None:
        self.lock = lock
        self.mishaps = shared.mishaps
        self._api = api
        self._control = control

    def answer(self, request: Request) -> Reply:
        """Answer one call; never raises `Refusal`."""
        try:
            if request.path.startswith("/sandbox/"):
                return self._answer_control(request)
            return self._answer_api(request)
        except Refusal as refused:
            return refused.reply
        except Senseless as told:
            return self.refused(HTTPStatus.UNPROCESSABLE_ENTITY, str(told))
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            return self.refused(HTTPStatus.BAD_REQUEST, f"{type(error).__name__}: {error}")

    def refused(self, status: HTTPStatus, why: str) -> Reply:
        """Refuse a call that could not be read."""
        return self._api.refusal(status, why).reply

    def _answer_control(self, request: Request) -> Reply:
        with self.lock:
            reply = dispatch(self._control, request)
        return reply or self.refused(HTTPStatus.NOT_FOUND, f"no control call {request.path}")

    def _answer_api(self, request: Request) -> Reply:
        call = f"{request.method} {request.path}"
        if self.mishaps.latency:
            time.sleep(self.mishaps.latency)
        with self.lock:
            self.mishaps.count(call)
            limits = self._api.limits(self.mishaps.rate_limit)
            reply = self._with_fault(request, self.mishaps.meet(call))
        return Reply(
            status=reply.status,
            body=reply.body,
            headers={**limits, **reply.headers},
            dropped=reply.dropped,
        )

    def _with_fault(self, request: Request, fault: Fault | None) -> Reply:
        if fault is not None and fault.before is not None:
            fault.before()
        elif fault is not None:
            return self._api.empty_page(request) if fault.empty_page else fault.reply()
        return self._api.answer(request)


class PracticeDesk:
    """A desk on an address of this machine; a context manager.

    `close` ends what the desk does in the background. Port 0 takes a free one.
    """

    def __init__(self, address: tuple[str, int], desk: Desk, close: Callable[[], None]) -> None:
        self.desk = desk
        self._close = close
        self._server = DeskServer(address, desk)
        self._thread = threading.Thread(target=self._serve, name="sandbox-desk", daemon=True)

    def _serve(self) -> None:
        self._server.serve_forever(poll_interval=0.02)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
        self._close()

    @property
    def url(self) -> str:
        """The desk's address, as a tenant file writes it."""
        return self._server.base

    @property
    def port(self) -> int:
        """The port on which the desk listens."""
        return int(self._server.server_address[1])

    def break_next(self, *faults: Fault) -> None:
        """Let these go wrong with the next calls that they match."""
        with self.desk.lock:
            self.desk.mishaps.faults.extend(faults)

    def wait(self) -> None:
        """Serve until the thread ends, as an interrupt makes it."""
        self._thread.join()


def serve_until_stopped(opened: PracticeDesk, ready: Callable[[int], None]) -> None:
    """Serve a desk until interrupted; call `ready` with the port."""
    with opened as desk:
        ready(desk.port)
        desk.wait()
