"""The demonstration's processes: practice desks and the daemon, started and ended for real."""

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any, Self

import requests

from connector.errors import TriagedError

PATIENCE = 60.0
"""Seconds that a step may take on a machine that is busy with other things."""


class DemoFailed(TriagedError):
    """The demonstration could not go on. Run `triaged demo --keep` and read the log files in the
    folder that it names.
    """


class Child:
    """A triaged command as a process of its own; what it prints goes to a file and to us."""

    def __init__(
        self,
        *arguments: str,
        log: Path,
        environment: Mapping[str, str],
        module: str = "connector",
    ) -> None:
        self.log = log
        self._lines: Queue[str | None] = Queue()
        self._process = subprocess.Popen(
            [sys.executable, "-m", module, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={**os.environ, "PYTHONUNBUFFERED": "1", **environment},
        )
        self._reader = Thread(target=self._read, name=f"reads {log.name}", daemon=True)
        self._reader.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.end()

    @property
    def pid(self) -> int:
        """Give the process id."""
        return self._process.pid

    def lines(self, patience: float = PATIENCE) -> Iterator[str]:
        """Yield printed lines as they come; raises `DemoFailed` when none comes or it ends."""
        while True:
            try:
                line = self._lines.get(timeout=patience)
            except Empty:
                raise DemoFailed(f"{self.log} is silent for {patience:.0f} seconds") from None
            if line is None:
                raise DemoFailed(f"the process of {self.log} ended early")
            yield line

    def events(self, patience: float = PATIENCE) -> Iterator[Mapping[str, Any]]:
        """Yield the daemon's log events; anything else that it prints is passed over."""
        for line in self.lines(patience):
            if line.startswith("{"):
                yield json.loads(line)

    def end(self) -> int:
        """Ask the process to finish its work and end; give its exit code."""
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
        try:
            code = self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()
            code = self._process.wait()
        self._reader.join(PATIENCE)
        return code

    def _read(self) -> None:
        output = self._process.stdout
        if output is None:
            return
        with output, self.log.open("w", encoding="utf-8") as log:
            for line in output:
                log.write(line)
                log.flush()
                self._lines.put(line)
        self._lines.put(None)


class PracticeDesk:
    """A sandbox process and its control API, which is the same for every platform."""

    def __init__(self, platform: str, folder: Path) -> None:
        log = folder / f"{platform}-sandbox.log"
        self.platform = platform
        self._child = Child("sandbox", platform, "--listen", "127.0.0.1:0", log=log, environment={})
        self._session = requests.Session()
        self._session.trust_env = False  # a proxy has no business between two loopback processes

    def __enter__(self) -> Self:
        for line in self._child.lines():
            found = re.search(r"http://\S+", line)
            if found:
                self.url = found[0]
                break
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._session.close()
        self._child.end()

    def get(self, path: str) -> Any:
        """Ask the control API."""
        return self._call("GET", path, None)

    def post(self, path: str, content: Any) -> Any:
        """Tell the control API something."""
        return self._call("POST", path, content)

    def _call(self, method: str, path: str, content: Any) -> Any:
        address = f"{self.url}/sandbox/{path}"
        answer = self._session.request(method, address, json=content, timeout=PATIENCE)
        if not answer.ok:
            raise DemoFailed(f"{method} {address} was answered {answer.status_code}")
        return answer.json()
