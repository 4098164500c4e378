"""Tells systemd how the daemon is (sd_notify), and keeps quiet when a loop does not go on.

The protocol is a datagram of `KEY=VALUE` lines to the socket that `NOTIFY_SOCKET` names, see
sd_notify(3). Without such a socket only the log is told.
"""

import os
import socket
import time
from collections.abc import Mapping

import structlog

from connector.pulse import Pulses

FED = 4
"""Signs of life within the time after which systemd takes us for dead: some may be late."""

_log = structlog.get_logger()


class Lifeline:
    """What systemd hears of this process."""

    def __init__(self, environment: Mapping[str, str], pulses: Pulses) -> None:
        self._address = environment.get("NOTIFY_SOCKET", "")
        self._pulses = pulses
        self._every = _watchdog(environment) / FED
        self._fed_at = 0.0
        self._status = ""
        self._stuck: frozenset[str] = frozenset()
        self._unheard = False

    def ready(self, status: str) -> None:
        """Tell that everything is up, or that a reload is over."""
        self._status = status
        self._say("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """Tell that the configuration is read again; `ready` ends it."""
        moment = time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000
        self._say("RELOADING=1", f"MONOTONIC_USEC={moment}", "STATUS=rereading the configuration")

    def stopping(self) -> None:
        """Tell that the end has begun."""
        self._say("STOPPING=1", "STATUS=finishing the tickets in hand")

    def look(self) -> None:
        """Give a sign of life if every loop has; else say which one has not, and give none.

        To be called again and again, at least as often as a sign is due.
        """
        self._tell(self._pulses.stuck())
        now = time.monotonic()
        if self._every and not self._stuck and now - self._fed_at >= self._every:
            self._fed_at = now
            self._say("WATCHDOG=1")

    def _tell(self, stuck: Mapping[str, float]) -> None:
        for name in stuck.keys() - self._stuck:
            _log.error("loop_stuck", loop=name, seconds=round(stuck[name]))
        for name in self._stuck - stuck.keys():
            _log.info("loop_moving", loop=name)
        if stuck.keys() != self._stuck:
            self._stuck = frozenset(stuck)
            told = f"stuck: {', '.join(sorted(stuck))}" if stuck else self._status
            self._say(f"STATUS={told}")

    def _say(self, *lines: str) -> None:
        if not self._address:
            return
        # A leading @ stands for the zero byte of a name that is in no file system (unix(7)).
        address = f"\0{self._address[1:]}" if self._address[0] == "@" else self._address
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as line:
                line.sendto("\n".join(lines).encode(), address)
        except OSError as error:
            if not self._unheard:
                _log.warning("systemd_unreachable", error=error.strerror or str(error))
            self._unheard = True
        else:
            self._unheard = False


def _watchdog(environment: Mapping[str, str]) -> float:
    """Give the seconds after which systemd takes us for dead; 0 when it does not look."""
    if environment.get("WATCHDOG_PID", str(os.getpid())) != str(os.getpid()):
        return 0.0
    told = environment.get("WATCHDOG_USEC", "")
    return int(told) / 1e6 if told.isascii() and told.isdigit() else 0.0
