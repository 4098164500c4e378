"""Sends a daemon what strangers may send: malformed, forged, replayed and slow calls, and counts.

`python tests/e2e/hostile.py` runs the full form and prints the figures; exit code 1 when one of
them is not what it has to be.
"""

import json
import random
import resource
import selectors
import socket
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import quantiles
from threading import Thread
from time import monotonic, sleep
from typing import NamedTuple
from urllib.parse import urlsplit

import psutil
from rich.console import Console
from world import Daemon, Desk, Site

from adapters.zendesk.webhook import INVOCATION, SIGNATURE, TIMESTAMP, signature

SENDERS = 16
ANSWERED_WITHIN = 0.5
"""Seconds: a call that is cut short gets no answer before the time-out for dawdlers."""

CLOSED_WITHIN = 6.0
MEBIBYTE = 1 << 20
_numbers = count(1)


class Sizes(NamedTuple):
    """How much of each kind is sent."""

    malformed: int
    forged: int
    replays: int
    slow: int


FULL = Sizes(malformed=10_000, forged=100_000, replays=1_000, slow=1_200)
SHORT = Sizes(malformed=500, forged=500, replays=50, slow=100)


class Found(NamedTuple):
    """What came of it."""

    statuses: Counter[int]
    grown: float
    forged_taken: int
    replay_jobs: int
    slowest_close: float
    honest_before: float
    honest_during: float

    def wrong(self) -> Sequence[str]:
        """Name what is not as it has to be; times are not among it, since machines differ."""
        checks = {
            "an answer was 5xx": any(status >= 500 for status in self.statuses),
            "memory grew by more than 20 MiB": self.grown > 20,
            "a forged call was accepted": self.forged_taken > 0,
            "a replay made a job": self.replay_jobs != 1,
            "a slow connection was kept": self.slowest_close == float("inf"),
        }
        return [name for name, is_so in checks.items() if is_so]


class Attack:
    """One daemon, its desk, and all that is sent to it."""

    def __init__(self, daemon: Daemon, desk: Desk, seed: int = 1) -> None:
        self._daemon = daemon
        self._key = desk.sandbox.webhook_secret
        parts = urlsplit(daemon.address)
        self._address = (str(parts.hostname), int(parts.port or 0))
        self._random = random.Random(seed)

    def run(self, sizes: Sizes) -> Found:
        """Send everything; the daemon lives at the end, or this raises."""
        self._many([self.signed(b'{"ticket_id": "99999999"}') for _ in range(200)])
        before = self._memory()
        statuses = self._many([self.malformed() for _ in range(sizes.malformed)], each=True)
        grown = self._memory() - before
        forged = self._many([self.forged() for _ in range(sizes.forged)])
        taken = self._received()
        call = self.signed(b'{"ticket_id": "99999998"}')
        self._many([call] * sizes.replays)
        jobs = self._received() - taken
        quiet = self._honest(lambda: False)
        slowest, busy = self._slow(sizes.slow)
        assert self._daemon.get("/healthz").status_code == 200
        return Found(
            statuses=statuses,
            grown=grown,
            forged_taken=forged[202],
            replay_jobs=int(jobs),
            slowest_close=slowest,
            honest_before=quiet,
            honest_during=busy,
        )

    def signed(self, body: bytes, extra: str = "", path: str = "/hooks/acme") -> bytes:
        """Give the bytes of a rightly signed call with a delivery id of its own."""
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        head = (
            f"POST {path} HTTP/1.1\r\nHost: desk\r\nContent-Length: {len(body)}\r\n{extra}"
            f"{TIMESTAMP}: {moment}\r\n{SIGNATURE}: {signature(self._key, moment, body)}\r\n"
            f"{INVOCATION}: hostile-{next(_numbers)}\r\n\r\n"
        )
        return head.encode() + body

    def malformed(self) -> bytes:
        """Give a call that is wrong in some way."""
        return self._random.choice((self._bad_json, self._bad_http, self._noise))()

    def _bad_json(self) -> bytes:
        bodies = (
            b'{"ticket_id": NaN}',
            b'{"ticket_id": 1, "ticket_id": 2}',
            b'{"ticket_id": "1\\u0000"}',
            b'{"ticket_id": "\\ud800"}',
            b'{"ticket_id": ' + b"9" * 5000 + b"}",
            b'{"ticket_id": 1e999}',
            b"[" * self._random.randrange(65, 100_000),
            b'{"a":' * 70 + b"1" + b"}" * 70,
            b'\xef\xbb\xbf{"ticket_id": 1}',
            '{"ticket_id": 1}'.encode("utf-16"),
            b'{"ticket_id": "\xff"}',
            b"\0" * 100,
            json.dumps({str(n): n for n in range(5000)}).encode(),
            json.dumps({"ticket_id": "'; DROP TABLE inbox; --"}).encode(),
            self._random.randbytes(self._random.randrange(300)),
        )
        return self.signed(self._random.choice(bodies))

    def _bad_http(self) -> bytes:
        plain = self.signed(b'{"ticket_id": 1}')
        return self._random.choice((
            plain.replace(b"POST", b"BREW"),
            plain.replace(b"HTTP/1.1", b"HTTP/9.9"),
            plain.replace(b"Content-Length: 16", b"Content-Length: -1"),
            plain.replace(b"Content-Length: 16", b"Content-Length: 16\r\nContent-Length: 17"),
            plain.replace(b"Content-Length: 16", b"Transfer-Encoding: chunked"),
            plain.replace(b"Content-Length: 16", b"Content-Length: 99999999999999999999"),
            plain.replace(b"Host: desk", b"Host: desk\r\nContent-Encoding: gzip"),
            plain.replace(b"Host: desk", b"Host: desk\r\nX: " + b"x" * 70_000),
            plain.replace(b"Host: desk", b"Host: desk" + b"\r\nX: y" * 500),
            plain.replace(b"Host: desk", b"No colon at all"),
            plain.replace(b"/hooks/acme", b"/hooks/../../etc/passwd"),
            plain.replace(b"/hooks/acme", b"/hooks/%00%ff%c0%ae"),
            plain.replace(b"/hooks/acme", b"/hooks/" + b"a" * 8000),
            plain.replace(b"/hooks/acme", "/hooks/ü温".encode()),
            plain.replace(b"hostile-", b"\xff\xfe-"),
            plain[: self._random.randrange(1, len(plain))],
        ))  # fmt: skip

    def _noise(self) -> bytes:
        """Give a right call with some bytes changed."""
        call = bytearray(self.signed(b'{"ticket_id": 1}'))
        for _ in range(self._random.randrange(1, 8)):
            call[self._random.randrange(len(call))] = self._random.randrange(256)
        return bytes(call)

    def forged(self) -> bytes:
        """Give a call whose signature is well-formed and wrong."""
        return self.signed(b'{"ticket_id": "99999997"}').replace(b'99999997"}', b'99999996"}')

    def _many(self, calls: Sequence[bytes], *, each: bool = False) -> Counter[int]:
        """Send from several threads; with `each` every call has a connection of its own."""
        shares = [calls[place::SENDERS] for place in range(SENDERS)]
        with ThreadPoolExecutor(SENDERS) as pool:
            return sum(pool.map(self._alone if each else self._kept, shares), Counter())

    def _alone(self, calls: Sequence[bytes]) -> Counter[int]:
        return Counter(self._status(call, ANSWERED_WITHIN) for call in calls)

    def _kept(self, calls: Sequence[bytes]) -> Counter[int]:
        found: Counter[int] = Counter()
        with socket.create_connection(self._address, 10) as one:
            for call in calls:
                one.sendall(call)
                found[int(one.recv(4096).split()[1])] += 1
        return found

    def _status(self, call: bytes, patience: float) -> int:
        """Give the status of the answer, 0 when there is none."""
        with socket.create_connection(self._address, 10) as one, suppress(OSError):
            one.settimeout(patience)
            with suppress(OSError):
                one.sendall(call)
            answer = one.recv(64)
            return int(answer.split()[1]) if answer.startswith(b"HTTP/") else 0
        return 0

    def _slow(self, number: int) -> tuple[float, float]:
        """Open connections that send a byte a second; give the longest life, and honest p99."""
        lives: list[float] = []
        thread = Thread(target=lambda: lives.extend(self._dawdle(number)))
        thread.start()
        honest = self._honest(thread.is_alive)
        thread.join()
        return (max(lives) if len(lives) == number else float("inf")), honest

    def _dawdle(self, number: int) -> Iterator[float]:
        call = self.signed(b'{"ticket_id": 1}').replace(
            b"Content-Length: 16", b"Content-Length: 99"
        )
        cut = call.index(b"\r\n") + 2
        with selectors.DefaultSelector() as selector, ExitStack() as stack:
            for place in range(number):
                one = stack.enter_context(socket.create_connection(self._address, 10))
                one.sendall(call if place % 2 else call[:cut] + b"X-Slow: ")
                selector.register(one, selectors.EVENT_READ, monotonic())
            last, until = monotonic(), monotonic() + 4 * CLOSED_WITHIN
            while selector.get_map() and monotonic() < until:
                for key, _ in selector.select(0.05):
                    with suppress(OSError):
                        if key.fileobj.recv(4096):
                            continue  # an answer; the end comes next
                    selector.unregister(key.fileobj)
                    yield monotonic() - key.data
                if monotonic() - last > 1:
                    last = monotonic()
                    for key in list(selector.get_map().values()):
                        with suppress(OSError):
                            key.fileobj.send(b"x")

    def _honest(self, goes_on: Callable[[], bool], least: int = 200) -> float:
        """Send good calls one after another; give the p99 in seconds."""
        seconds: list[float] = []
        while len(seconds) < least or goes_on():
            call = self.signed(b'{"ticket_id": "99999995"}')
            began = monotonic()
            assert self._status(call, 10) == 202
            seconds.append(monotonic() - began)
            sleep(0.01)
        return quantiles(seconds, n=100)[98]

    def _received(self) -> float:
        return self._daemon.metric("triaged_received_total", tenant="acme", source="webhook")

    def _memory(self) -> float:
        return psutil.Process(self._daemon.pid).memory_info().rss / MEBIBYTE


def main() -> None:
    """Run the full form."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    with tempfile.TemporaryDirectory() as folder, ExitStack() as resources:
        desk = resources.enter_context(Desk())
        site = Site(Path(folder), resources)
        site.tenant("acme", desk)
        found = Attack(site.daemon().ready("acme"), desk).run(FULL)
    say = Console(width=200, highlight=False).print
    say(
        f"malformed calls        {FULL.malformed}, by status {dict(sorted(found.statuses.items()))}"
    )
    say(f"memory grew by         {found.grown:.1f} MiB")
    say(f"forged calls           {FULL.forged}, accepted {found.forged_taken}")
    say(f"replays                {FULL.replays}, jobs {found.replay_jobs} (the first call's)")
    say(f"slow connections       {FULL.slow}, the last closed after {found.slowest_close:.2f} s")
    before, during = found.honest_before * 1000, found.honest_during * 1000
    say(f"honest p99             {before:.1f} ms before, {during:.1f} ms meanwhile")
    wrong = found.wrong()
    sys.exit(", ".join(wrong) if wrong else 0)


if __name__ == "__main__":
    main()
