"""Everything that a daemon keeps, opened together."""

from collections.abc import Sequence
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Self

from connector.ports import Clock
from connector.store import books, overview
from connector.store.books import Balance
from connector.store.cases import CaseBook
from connector.store.engine import Database
from connector.store.inbox import Inbox
from connector.store.ledger import Ledger
from connector.store.overview import TenantOverview
from connector.store.queue import Queue
from connector.store.suspects import Suspects


class Store:
    """The durable state of one daemon; a context manager that gives the directory up at its end.

    Raises `StateInUse` when another process owns the directory, `StateUnusable` when the
    database cannot be opened.
    """

    def __init__(self, directory: Path, clock: Clock) -> None:
        with ExitStack() as resources:
            self._database = resources.enter_context(closing(Database(directory)))
            self.suspects = resources.enter_context(closing(Suspects(directory)))
            self.inbox = Inbox(self._database, clock)
            self.inbox.recover(self.suspects.left)
            self._resources = resources.pop_all()
        self.ledger = Ledger(self._database, clock)
        self.cases = CaseBook(self._database, clock)
        self.queue = Queue(self._database, clock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._resources.close()

    def audit(self) -> Sequence[Balance]:
        """Tell, per tenant, whether all that was received is accounted for."""
        with self._database.read() as connection:
            return books.audit(connection)

    def overview(self) -> Sequence[TenantOverview]:
        """Tell where each tenant's work stands."""
        with self._database.read() as connection:
            return overview.read(connection)
