"""Serves the routes from a thread of their own, closing connections that dawdle half-way."""

import asyncio
import socket
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from time import sleep

from granian.constants import Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server
from starlette.applications import Starlette

from connector.errors import ConfigError
from connector.pulse import name_thread

HEADER_TIMEOUT = 5_000
"""Milliseconds for a request's headers: a slow sender must not hold a connection for long."""

CONNECTIONS = 4096
"""Open at the same time. Who connects and says nothing keeps one until the proxy in front ends it:
the time-out for headers begins with their first byte."""

BACKLOG = 1024
"""Connections that wait to be accepted."""

PROBE = 0.01
"""Seconds between two tries to reach our own server while it starts: some ten tries in all."""


class WebServer:
    """An HTTP server in a thread; `start` returns once it listens."""

    def __init__(self, application: Starlette, host: str, port: int) -> None:
        self.host = host
        self.port = _free_port(host, port)
        self._application = application
        self._loop: asyncio.AbstractEventLoop | None = None
        self._server: Server | None = None
        self._thread = Thread(target=self._run, name="web", daemon=True)

    def start(self) -> None:
        """Begin to serve; raises `ConfigError` when the address was taken in the meantime."""
        self._thread.start()
        # The server has no way to say that it listens: the first connection that it takes tells.
        while not self._answers():
            if not self._thread.is_alive():
                raise _unusable(self.host, self.port, "the server ended")
            sleep(PROBE)

    def stop(self, timeout: float) -> None:
        """Take no more requests, answer those under way, and end."""
        if self._loop and self._server and self._thread.is_alive():
            self._loop.call_soon_threadsafe(self._server.stop)
        self._thread.join(timeout)

    def call(self, act: Callable[[], None]) -> None:
        """Have the server's loop do something when it comes round next."""
        if self._loop is not None:
            with suppress(RuntimeError):  # it has ended
                self._loop.call_soon_threadsafe(act)

    def _run(self) -> None:
        name_thread("web")
        asyncio.run(self._serve())

    def _answers(self) -> bool:
        try:
            socket.create_connection((self.host, self.port), timeout=1).close()
        except OSError:
            return False
        return True

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._server = Server(
            self._application,
            address=self.host,
            port=self.port,
            interface=Interfaces.ASGINL,
            websockets=False,
            backlog=BACKLOG,
            backpressure=CONNECTIONS,
            log_enabled=False,
            http1_settings=HTTP1Settings(header_read_timeout=HEADER_TIMEOUT),
        )
        await self._server.serve()


def _free_port(host: str, port: int) -> int:
    """Give the port, or a free one for 0; raises `ConfigError` when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise _unusable(host, port, error.strerror) from error
        return int(probe.getsockname()[1])


def _unusable(host: str, port: int, why: str | None) -> ConfigError:
    return ConfigError(
        f"web.listen: {host}:{port} cannot be used ({why}); choose another address or stop what"
        " listens there"
    )
