"""Measures the queue alone: tickets a second from claim to done, in tables of growing size.

SQLite with `synchronous=FULL` in a folder under `--folder` (a real disk, not memory), and a
PostgreSQL server that is started for it with its own settings; no desk, no model, one worker.
`--beside PYTHON` names an interpreter that has huey and dbos: see `queues_beside.py`.
"""

import argparse
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Event
from time import perf_counter

from bench_daemon import processor
from postgresql import PASSWORD, PostgresServer, a_server
from rich.console import Console
from rich.table import Table
from sqlalchemy import insert

from connector.clock import SystemClock
from connector.model import Cursor, Secret, TenantId, TicketId, TicketRef
from connector.store import Place, Settlement, Store
from connector.store.schema import State, inbox

TENANT = TenantId("acme")
BATCH = 32
ROUNDS = 3
PAGE = 1000


@contextmanager
def filled(folder: Path, rows: int, server: PostgresServer | None) -> Iterator[Store]:
    """Give a store whose inbox holds so many rows that are done."""
    with tempfile.TemporaryDirectory(dir=folder) as directory:
        clock = SystemClock(Event())
        place = Place(Path(directory))
        if server is not None:
            place = Place(place.directory, server.fresh(), Secret(PASSWORD))
        with Store(place, clock) as store:
            now = clock.now().timestamp()
            for begin in range(0, rows, PAGE):
                with store._database.write() as connection:
                    page = range(begin, min(begin + PAGE, rows))
                    connection.execute(insert(inbox), [old(number, now) for number in page])
            yield store


def old(number: int, now: float) -> dict[str, object]:
    """Give a row that was worked off long ago."""
    return {
        "tenant": TENANT,
        "ticket": f"old-{number}",
        "state": State.DONE,
        "source": "poll",
        "version": "1",
        "received_at": now,
        "due_at": now,
        "finished_at": now,
    }


def take_in(store: Store, count: int, name: str) -> None:
    """Let so many tickets come by poll."""
    refs = [TicketRef(id=TicketId(f"{name}-{n}"), version="1") for n in range(count)]
    for begin in range(0, count, PAGE):
        store.inbox.receive_page(TENANT, refs[begin : begin + PAGE], Cursor(f"{name} {begin}"))


def work_off(store: Store) -> int:
    """Claim and finish until nothing is due; give how many that were."""
    count = 0
    while jobs := store.inbox.claim(BATCH, tenants=[TENANT]):
        store.inbox.settle([Settlement(job=job) for job in jobs])
        count += len(jobs)
    return count


def rate(store: Store, tickets: int, name: str) -> float:
    """Give tickets a second from claim to done."""
    take_in(store, tickets, name)
    began = perf_counter()
    done = work_off(store)
    seconds = perf_counter() - began
    assert done == tickets, f"{done} of {tickets}"
    return done / seconds


def beside(python: str, queue: str, tickets: int) -> float:
    """Give another queue's rate."""
    script = Path(__file__).with_name("queues_beside.py")
    told = subprocess.run(
        [python, str(script), queue, str(tickets)], check=True, capture_output=True, text=True
    )
    return float(told.stdout.split()[-1])


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, nargs="*", default=[1_000, 100_000])
    parser.add_argument("--tickets", type=int, default=2_000)
    parser.add_argument("--folder", type=Path, default=Path(tempfile.gettempdir()))
    parser.add_argument("--beside", metavar="PYTHON", help="with huey and dbos")
    told = parser.parse_args()
    title = f"the queue on {processor()}, median of {ROUNDS}, {told.tickets} tickets each"
    table = Table("what", "tickets/s", title=title, title_justify="left")
    tempfile.tempdir = str(told.folder)
    with a_server() as server:
        for name, where in (("SQLite FULL", None), ("PostgreSQL", server)):
            for rows in told.rows:
                with filled(told.folder, rows, where) as store:
                    rates = [rate(store, told.tickets, f"r{number}") for number in range(ROUNDS)]
                table.add_row(
                    f"claim → done, {name}, {rows:,} rows in the table", f"{median(rates):.0f}"
                )
    if told.beside:
        for queue, tickets in (("huey", told.tickets), ("dbos", max(told.tickets // 20, 50))):
            table.add_row(
                f"{queue}, {tickets} tickets", f"{beside(told.beside, queue, tickets):.0f}"
            )
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
