"""What systemd hears of a daemon: a socket that is named in NOTIFY_SOCKET, and listened to."""

import socket
from pathlib import Path
from threading import Condition, Thread
from typing import Self

from world import PATIENCE


class Listener:
    """Takes a service's messages in, and lets them be awaited."""

    def __init__(self, place: Path) -> None:
        self.address = str(place)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(self.address)
        self._heard: list[str] = []
        self._news = Condition()
        self._thread = Thread(target=self._listen, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._socket.shutdown(socket.SHUT_RD)
        self._thread.join(PATIENCE)
        self._socket.close()

    def heard(self, line: str) -> int:
        """Count how often a line was said."""
        with self._news:
            return sum(line in message.splitlines() for message in self._heard)

    def await_line(self, line: str, times: int) -> None:
        """Wait until a line was said so often."""
        with self._news:
            fits = self._news.wait_for(
                lambda: sum(line in each.splitlines() for each in self._heard) >= times, PATIENCE
            )
            assert fits, f"no {line} in {self._heard}"

    @property
    def status(self) -> str:
        """Give what the service said last about itself."""
        with self._news:
            told = [line for each in self._heard for line in each.splitlines()]
        return [line for line in told if line.startswith("STATUS=")][-1].removeprefix("STATUS=")

    def message(self, line: str) -> str:
        """Give the last whole message that has a line."""
        with self._news:
            return [each for each in self._heard if line in each.splitlines()][-1]

    def _listen(self) -> None:
        while message := self._socket.recv(4096):
            with self._news:
                self._heard.append(message.decode("utf-8"))
                self._news.notify_all()
