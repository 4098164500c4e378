"""Measures durable webhooks per second: a commit shared by those who wait, and one for each call.

The web server, the signature check and the store on a real disk are the daemon's own; senders are
another process that keeps its connections open. `--short` sends fewer calls.
"""

import argparse
import hashlib
import hmac
import json
import multiprocessing
import selectors
import socket
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from statistics import median, quantiles
from time import perf_counter
from typing import NamedTuple

from rich.console import Console
from rich.table import Table

from adapters.memory import DELIVERY, SIGNATURE, TIMESTAMP, MemoryAdapter
from connector.clock import SystemClock
from connector.metrics import Metrics
from connector.model import Secret, TenantId
from connector.store import Place, Store
from connector.web import api
from connector.web.server import WebServer
from connector.webhook import Call, WebhookIntake

SECRET = "a-secret-of-this-benchmark"
CONNECTIONS = 16
CALLS, SHORT = 12_000, 1_600
ROUNDS = 3
GOAL, RATIO = 700, 3.0


class OneEach(WebhookIntake):
    """An intake with a transaction of its own for every call."""

    def take(self, calls: Sequence[Call]) -> Sequence[int]:
        """Take the calls in, one after another."""
        return [status for each in calls for status in super(OneEach, self).take([each])]


class Figure(NamedTuple):
    """A round of calls: how many per second, and how long one took."""

    rate: float
    p50: float
    p99: float


@contextmanager
def served(folder: Path, *, shared: bool) -> Iterator[int]:
    """Serve webhooks of one tenant from a store in the folder; give the port."""
    clock = SystemClock()
    with Store(Place(folder), clock) as store:
        metrics = Metrics()
        intake = (WebhookIntake if shared else OneEach)(
            store=store, clock=clock, metrics=metrics, wake=lambda: None
        )
        intake.serve({TenantId("acme"): MemoryAdapter(clock, Secret(SECRET))})
        web = WebServer(api.create(intake, metrics.text, lambda: ""), "127.0.0.1", 0)
        web.start()
        yield web.port
        web.stop(10)


def call(number: int) -> bytes:
    """Give the bytes of a signed call for a ticket of its own."""
    body = json.dumps({"ticket": str(number)}).encode()
    moment = datetime.now(UTC).isoformat()
    sign = hmac.new(SECRET.encode(), moment.encode() + body, hashlib.sha256).hexdigest()
    head = (
        f"POST /hooks/acme HTTP/1.1\r\nHost: bench\r\nContent-Length: {len(body)}\r\n"
        f"{TIMESTAMP}: {moment}\r\n{SIGNATURE}: {sign}\r\n{DELIVERY}: bench-{number}\r\n\r\n"
    )
    return head.encode() + body


def send(port: int, first: int, count: int) -> Figure:
    """Send calls from all connections at once, one after another on each."""
    calls = iter([call(first + number) for number in range(count)])
    seconds, sent_at = [], {}
    with selectors.DefaultSelector() as selector, ExitStack() as sockets:
        began = perf_counter()
        for _ in range(CONNECTIONS):
            one = sockets.enter_context(socket.create_connection(("127.0.0.1", port)))
            one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(one, selectors.EVENT_READ)
            sent_at[one] = perf_counter()
            one.sendall(next(calls))
        while len(seconds) < count:
            for key, _ in selector.select():
                one = key.fileobj
                if not (answer := one.recv(4096)).startswith(b"HTTP/1.1 202 "):
                    sys.exit(f"not accepted: {answer!r}")
                now = perf_counter()
                seconds.append(now - sent_at[one])
                if following := next(calls, None):
                    sent_at[one] = now
                    one.sendall(following)
        rate = count / (perf_counter() - began)
    return Figure(rate, median(seconds), quantiles(seconds, n=100)[98])


def measure(count: int) -> dict[str, list[Figure]]:
    """Take turns, so that a noisy moment meets both."""
    figures: dict[str, list[Figure]] = {"shared": [], "one each": []}
    with (
        tempfile.TemporaryDirectory(dir=Path.cwd()) as name,
        multiprocessing.get_context("spawn").Pool(1) as pool,
        served(Path(name) / "shared", shared=True) as shared,
        served(Path(name) / "single", shared=False) as single,
    ):
        for turn in range(ROUNDS):
            for kind, port, calls in (("shared", shared, count), ("one each", single, count // 4)):
                figures[kind].append(pool.apply(send, (port, turn * count, calls)))
    return figures


def main() -> None:
    """Print both rates and their ratio."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true")
    figures = measure(SHORT if parser.parse_args().short else CALLS)
    table = Table("commit", "webhooks/s, median of rounds", "p50", "p99", "rounds")
    best = {}
    for kind, rounds in figures.items():
        best[kind] = middle = sorted(rounds)[len(rounds) // 2]
        rates = ", ".join(f"{each.rate:.0f}" for each in rounds)
        times = f"{middle.p50 * 1000:.1f} ms", f"{middle.p99 * 1000:.1f} ms"
        table.add_row(kind, f"{middle.rate:.0f}", *times, rates)
    ratio = best["shared"].rate / best["one each"].rate
    Console().print(table)
    Console().print(f"{CONNECTIONS} connections; ratio {ratio:.1f} (goal ≥ {RATIO}, ≥ {GOAL}/s)")


if __name__ == "__main__":
    main()
