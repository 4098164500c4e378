"""Everything that a daemon keeps, opened together."""

from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing
from typing import Self

from connector.model import TenantId
from connector.ports import Clock
from connector.settings import Retention
from connector.store import books, overview
from connector.store.backlog import Backlog
from connector.store.books import Balance
from connector.store.brakes import Brakes
from connector.store.cases import CaseBook
from connector.store.claim import Job
from connector.store.database import Place, opened
from connector.store.erasure import Erasure
from connector.store.feedback import Feedback
from connector.store.inbox import Inbox
from connector.store.ledger import Ledger
from connector.store.levels import Levels
from connector.store.options import Options
from connector.store.overview import TenantOverview
from connector.store.queue import Queue
from connector.store.retention import expire
from connector.store.suspects import Suspects
from connector.store.undoings import Undoings


class Store:
    """The durable state of one daemon; a context manager that gives its place up at its end.

    Raises `StateInUse` when another process owns the directory, `StateUnusable` when the
    database cannot be opened.
    """

    def __init__(self, place: Place, clock: Clock) -> None:
        with ExitStack() as resources:
            self._database = resources.enter_context(closing(opened(place, clock)))
            self.suspects = resources.enter_context(closing(Suspects(place.directory)))
            self.inbox = Inbox(self._database)
            self.inbox.recover(self.suspects.left)
            self._resources = resources.pop_all()
        self.ledger = Ledger(self._database)
        self.cases = CaseBook(self._database)
        self.queue = Queue(self._database)
        self.backlog = Backlog(self._database)
        self.erasure = Erasure(self._database)
        self.feedback = Feedback(self._database)
        self.undoings = Undoings(self._database)
        self.levels = Levels(self._database)
        self.brakes = Brakes(self._database)
        self.options = Options(self._database)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._resources.close()

    @property
    def clock(self) -> Clock:
        """Give the clock that all daemons of the store go by: its server's, where it has one."""
        return self._database.clock

    def holds(self, job: Job) -> bool:
        """Tell whether a claimed row is surely in no other daemon's hands.

        To be asked before each call that changes a desk: this process may have been stopped, or cut
        off from the database, for longer than its claims last.
        """
        return self._database.holds(job.owner)

    def leads(self, tenant: TenantId) -> bool:
        """Tell whether it is this daemon that polls a tenant's desk, becoming it if nobody is."""
        return self._database.leads(tenant)

    def listen(self, wake: Callable[[], None]) -> None:
        """Have `wake` called when another daemon may have brought work."""
        self._database.listen(wake)

    def expire(self, kept: Retention, is_over: Callable[[], bool] = lambda: False) -> None:
        """Delete what is older than it may be; ends early when `is_over`."""
        expire(self._database, kept, is_over)

    def reach(self) -> None:
        """Return once nobody else writes; raises `StateUnusable` when that takes too long."""
        with self._database.write():
            pass

    @property
    def is_damaged(self) -> bool:
        """Tell whether the database must be mended: end, and start anew."""
        return self._database.is_damaged

    def back_up(self) -> None:
        """Keep a good copy of everything, where the database is a file of ours."""
        self._database.back_up()

    def audit(self) -> Sequence[Balance]:
        """Tell, per tenant, whether all that was received is accounted for."""
        with self._database.read() as connection:
            return books.audit(connection)

    def overview(self) -> Sequence[TenantOverview]:
        """Tell where each tenant's work stands."""
        with self._database.read() as connection:
            return overview.read(connection)
