"""Hears when another daemon brought work to the shared database."""

from collections.abc import Callable
from threading import Event, Thread

import psycopg
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError

from connector.store.dialect import CHANNEL

LOOK_UP = 1.0
"""Seconds after which the end of the listening, and a lost connection, are seen at the latest."""


class Listener:
    """Calls `wake` at each NOTIFY until `close`, on a connection of its own.

    While the connection is lost nobody is woken; workers look for themselves once a second.
    """

    def __init__(self, sessions: Engine, wake: Callable[[], None]) -> None:
        self._sessions = sessions
        self._wake = wake
        self._stopping = Event()
        self._thread = Thread(target=self._run, name="listener", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Listen no more."""
        self._stopping.set()
        self._thread.join(LOOK_UP * 2)

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._listen()
            except (DBAPIError, psycopg.Error):
                # Whoever uses the store tells that it is out of reach.
                self._stopping.wait(LOOK_UP)

    def _listen(self) -> None:
        with self._sessions.connect() as connection:
            connection.exec_driver_sql(f"LISTEN {CHANNEL}")
            self._wake()  # for what came while nobody listened
            driver = connection.connection.driver_connection
            if not isinstance(driver, psycopg.Connection):
                raise TypeError(type(driver).__name__)
            while not self._stopping.is_set():
                for _ in driver.notifies(timeout=LOOK_UP):
                    self._wake()
