"""One daemon among those that share a database: its name, its time to live, whom it polls for."""

import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Lock, Thread
from uuid import uuid4

import structlog
from sqlalchemy import Connection, Engine, bindparam, delete, func, insert, select, update
from sqlalchemy.exc import DBAPIError

from connector.errors import StateUnusable
from connector.model import TenantId
from connector.ports import Clock
from connector.store.dialect import server_now
from connector.store.schema import nodes

BEAT = 10.0
"""Seconds between two signs of life."""

LEASE = 30.0
"""Seconds after its last sign of life in which nobody takes a node's rows. Two beats may fail."""

MARGIN = 5.0
"""Seconds before the end of its lease in which a node begins no further call to a desk."""

ANEW = 1.0
"""Seconds between two tries to reach a database that cannot be reached."""

FORGOTTEN = 3600.0
"""Seconds after which a node that died is no longer listed."""

FILE = "node"
"""In the state directory: the name under which its process claims rows, and above it those of
earlier ones whose rows were not taken over yet."""

_log = structlog.get_logger()


class ServerClock:
    """The server's time of day, carried on by this machine's steady clock between two beats.

    All due times of the shared store are by it, so a machine whose clock is wrong does no harm.
    """

    def __init__(self, local: Clock) -> None:
        self._local = local
        self._ahead = local.now().timestamp() - local.monotonic()

    def set(self, server: float) -> None:
        """Go by what the server has just said, in Unix seconds."""
        self._ahead = server - self._local.monotonic()

    def now(self) -> datetime:
        """Give the time of day, aware, UTC."""
        return datetime.fromtimestamp(self._ahead + self._local.monotonic(), UTC)

    def monotonic(self) -> float:
        """Give seconds that never run backwards."""
        return self._local.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait, or return as soon as the daemon is stopping."""
        self._local.sleep(seconds)


class Node:
    """A daemon's place among the others, kept by a session of its own until `close`.

    A node that gives no sign of life for `LEASE` seconds has lost its rows, and goes on under
    another name: what it claimed under the old one is no longer its own, even if nobody took it.
    Raises `DBAPIError` when the database cannot be reached at the start.
    """

    def __init__(self, sessions: Engine, directory: Path, clock: ServerClock) -> None:
        self._sessions = sessions
        self._file = directory / FILE
        self._clock = clock
        self._lock = Lock()
        self._session: Connection | None = None
        self._polled: set[TenantId] = set()
        self._name = ""
        self._alive_until = 0.0
        self._unreachable = False
        self._stopping = Event()
        with self._lock:
            self._earlier = self._read()
            self.left = tuple(name for name in self._earlier if self._has_ended(name))
            self._beat()
        self._thread = Thread(target=self._run, name="node", daemon=True)
        self._thread.start()

    @property
    def name(self) -> str:
        """Give the name under which this process claims rows now."""
        return self._name

    def took_over(self) -> None:
        """Forget the names of earlier processes: their rows are nobody's now."""
        self._earlier = ()
        self._write(self._name)

    def holds(self, owner: str) -> bool:
        """Tell whether rows claimed under that name are surely nobody else's yet."""
        return owner == self._name and _awake() < self._alive_until - MARGIN

    def leads(self, tenant: TenantId) -> bool:
        """Tell whether this node polls a tenant; it does when it is the first to ask."""
        with self._lock:
            if tenant in self._polled:
                return True
            try:
                if _try_lock(self._connected(), f"poll {tenant}"):
                    self._polled.add(tenant)
            except DBAPIError as error:
                self._lose(error)
                raise
            return tenant in self._polled

    def close(self) -> None:
        """Leave: what this node still has in hand is anybody's at once."""
        self._stopping.set()
        self._thread.join(BEAT)
        with self._lock:
            with suppress(DBAPIError):
                self._connected().execute(delete(nodes).where(nodes.c.name == self._name))
            self._alive_until = 0.0
            self._drop()

    def _run(self) -> None:
        pause = BEAT
        while not self._stopping.wait(pause):
            pause = BEAT
            with self._lock:
                try:
                    self._beat()
                except DBAPIError as error:
                    self._lose(error)
                    pause = ANEW

    def _beat(self) -> None:
        """Give a sign of life, under a new name when it comes too late."""
        session = self._connected()
        sent = _awake()
        now = session.execute(_BEAT, {"me": self._name}).scalar()
        if now is None:
            now = self._join(session)
        self._alive_until = sent + LEASE
        self._clock.set(now)
        if self._unreachable:
            self._unreachable = False
            _log.info("store_reachable")

    def _join(self, session: Connection) -> float:
        """Take a new name; give the server's time."""
        if self._name:
            _log.warning("lease_lost", seconds=LEASE)
        name = uuid4().hex
        self._write(*self._earlier, name)
        session.execute(delete(nodes).where(nodes.c.alive_until < server_now() - FORGOTTEN))
        now: float = session.execute(_JOIN, {"me": name}).scalar_one()
        _try_lock(session, f"node {name}")
        self._name = name
        return now

    def _read(self) -> Sequence[str]:
        try:
            return self._file.read_text(encoding="ascii").split()
        except FileNotFoundError:
            return ()
        except (OSError, UnicodeDecodeError) as error:
            raise StateUnusable(f"{self._file}: {error}") from error

    def _write(self, *names: str) -> None:
        # Lost in a power cut, it costs the time of a lease: the name tells only us who we were.
        fresh = self._file.with_suffix(".new")
        try:
            fresh.write_text("\n".join(names), encoding="ascii")
            fresh.replace(self._file)
        except OSError as error:
            raise StateUnusable(f"{self._file}: {error.strerror}") from error

    def _has_ended(self, name: str) -> bool:
        """Tell whether the session of the process of that name has surely ended."""
        return _try_lock(self._connected(), f"node {name}")

    def _connected(self) -> Connection:
        """Give the session; a new one holds none of the locks that the lost one had."""
        if self._session is None:
            session = self._sessions.connect()
            # The locks of a process that is stopped must go to somebody who can poll.
            session.exec_driver_sql(f"SET idle_session_timeout = '{LEASE:.0f}s'")
            if self._name:
                _try_lock(session, f"node {self._name}")
            self._session = session
        return self._session

    def _lose(self, error: DBAPIError) -> None:
        self._drop()
        if not self._unreachable:
            self._unreachable = True
            _log.warning("store_unreachable", error=type(error.orig).__name__)

    def _drop(self) -> None:
        self._polled.clear()
        if self._session is not None:
            session, self._session = self._session, None
            with suppress(DBAPIError):
                session.invalidate()
                session.close()


def _awake() -> float:
    """Give seconds that go on while the machine sleeps, as a lease does."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def _try_lock(session: Connection, what: str) -> bool:
    key = func.hashtextextended(f"triaged {what}", 0)
    return bool(session.execute(select(func.pg_try_advisory_lock(key))).scalar())


_BEAT = (
    update(nodes)
    .where(nodes.c.name == bindparam("me"), nodes.c.alive_until > server_now())
    .values(alive_until=server_now() + LEASE)
    .returning(server_now())
)
_JOIN = (
    insert(nodes)
    .values(name=bindparam("me"), alive_until=server_now() + LEASE)
    .returning(server_now())
)
