"""A real Request Tracker 5 for tests: Debian's, furnished, started and stopped here.

`python tests/e2e/rt5.py FOLDER` runs one in the foreground, and prints what to export so that the
contract suite runs on it. It needs the Debian packages request-tracker5, rt5-db-sqlite and
rt5-standalone, and touches nothing outside the folder.
"""

import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from socket import AF_INET, SOCK_STREAM, socket
from threading import Event
from time import monotonic

import requests

PROGRAM = Path("/usr/share/request-tracker5/libexec/rt-server")
SETUP = Path("/usr/sbin/rt-setup-database-5")
SEED = Path(__file__).with_name("rt5_seed.pl")
SCRIP = Path(__file__).with_name("rt5_scrip.pl")

PATIENCE = 120.0
"""Seconds in which a busy machine sets up the database, or starts the server."""

SETTINGS = """\
Set($rtname, 'rt.test');
Set($Organization, 'rt.test');
Set($WebDomain, '127.0.0.1');
Set($WebPort, PORT);
Set($WebBaseURL, 'http://127.0.0.1:PORT');
Set($WebPath, '');
Set($Timezone, 'Australia/Sydney');  # far from UTC, so that a date read in it would show
Set($DatabaseType, 'SQLite');
Set($DatabaseName, 'FOLDER/rt5.sqlite');
Set($DatabaseHost, '');
Set($DatabaseUser, '');
Set($DatabasePassword, '');
Set($CorrespondAddress, 'rt@rt.test');
Set($CommentAddress, 'rt-comment@rt.test');
Set($MailCommand, 'testfile');  # no mail leaves
Set($BcryptCost, 4);  # each call verifies a token: with the usual 12 that takes a second
Set($TriagedURL, 'http://127.0.0.1:HOOK/hooks/acme');
Set($TriagedSecret, 'SECRET');
Set($LogToSyslog, undef);
Set($LogToSTDERR, 'warning');
Set($WebSessionClass, 'Apache::Session::File');
$RT::MasonDataDir = 'FOLDER/mason';
$RT::MasonSessionDir = 'FOLDER/session';
1;
"""


def missing() -> str:
    """Say what is not installed; nothing when a server can be started."""
    absent = [str(path) for path in (PROGRAM, SETUP) if not path.is_file()]
    return f"no Request Tracker 5: {', '.join(absent)} is not installed" if absent else ""


class Rt5:
    """A server on a port of 127.0.0.1 whose data lies in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        port, self.hook_port = _free_ports()
        self.url = f"http://127.0.0.1:{port}"
        self.hook_secret = secrets.token_urlsafe(30)
        for name in ("mason", "session", "site.d"):
            (folder / name).mkdir()
        site = folder / "RT_SiteConfig.pm"
        given = {
            "PORT": str(port),
            "HOOK": str(self.hook_port),
            "SECRET": self.hook_secret,
            "FOLDER": str(folder),
        }
        settings = SETTINGS
        for word, value in given.items():
            settings = settings.replace(word, value)
        site.write_text(settings)
        self._log = (folder / "server.log").open("w")
        self._environment = {
            **os.environ,
            "RT_SITE_CONFIG": str(site),
            "RT_SITE_CONFIG_DIR": str(folder / "site.d"),
        }
        self._run(str(SETUP), "--action", "init", "--skip-create")
        told = json.loads(self._run("perl", str(SEED)))
        self.queue: str = told["queue"]
        self.tokens: Mapping[str, str] = told["tokens"]
        self._process = subprocess.Popen(
            [PROGRAM, "--host", "127.0.0.1", "--port", str(port), "--max-workers", "3"],
            env=self._environment,
            stdout=self._log,
            stderr=self._log,
            cwd=folder,  # where the mailer leaves what it would have sent
            start_new_session=True,
        )
        self._await()

    def environment(self) -> Mapping[str, str]:
        """Give what the contract suite reads from the environment to run on this server."""
        return {
            "TRIAGED_TEST_RT_URL": self.url,
            "TRIAGED_TEST_RT_ACCOUNT": "triage",
            "TRIAGED_TEST_RT_TOKEN": self.tokens["triage"],
            "TRIAGED_TEST_RT_ADMIN_TOKEN": self.tokens["root"],
            "TRIAGED_TEST_RT_REQUESTER_TOKEN": self.tokens["rita"],
            "TRIAGED_TEST_RT_QUEUE": self.queue,
        }

    def add_scrip(self, condition: str, action: str) -> None:
        """Have RT run code after what meets a condition, once it is committed."""
        self._run("perl", str(SCRIP), condition, action)

    def close(self) -> None:
        """Stop the server and its workers."""
        os.killpg(self._process.pid, signal.SIGTERM)
        self._process.wait(PATIENCE)
        self._log.close()

    def _run(self, *command: str) -> str:
        done = subprocess.run(
            command,
            env=self._environment,
            capture_output=True,
            encoding="utf-8",
            timeout=PATIENCE,
            check=False,
        )
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}{done.stderr[-2000:]}"
        return done.stdout.splitlines()[-1]

    def _await(self) -> None:
        deadline, pause = monotonic() + PATIENCE, Event()
        headers = {"Authorization": f"token {self.tokens['triage']}"}
        with requests.Session() as session:
            session.trust_env = False
            while monotonic() < deadline:
                try:
                    if session.get(f"{self.url}/REST/2.0/rt", headers=headers, timeout=30).ok:
                        return
                except requests.ConnectionError:
                    assert self._process.poll() is None, f"it ended; see {self._log.name}"
                pause.wait(0.2)
        raise AssertionError(f"no answer; see {self._log.name}")


def _free_ports() -> tuple[int, int]:
    with closing(socket(AF_INET, SOCK_STREAM)) as one, closing(socket(AF_INET, SOCK_STREAM)) as two:
        for each in (one, two):
            each.bind(("127.0.0.1", 0))
        return one.getsockname()[1], two.getsockname()[1]


@contextmanager
def a_server(folder: Path | None = None) -> Iterator[Rt5]:
    """Run a server for as long as the block does."""
    with tempfile.TemporaryDirectory(prefix="triaged-rt5-") as own:
        server = Rt5(folder or Path(own))
        try:
            yield server
        finally:
            server.close()


def main(folder: str) -> None:
    """Run a server until interrupted."""
    Path(folder).mkdir(parents=True)
    with a_server(Path(folder).resolve()) as server:
        for name, value in server.environment().items():
            sys.stdout.write(f"export {name}={value}\n")
        sys.stdout.flush()
        told = Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: told.set())
        told.wait()


if __name__ == "__main__":
    main(sys.argv[1])
