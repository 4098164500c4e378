"""A tenant folder, its practice desks and daemon processes, with everything that can be awaited."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from threading import Event, Thread
from time import monotonic
from typing import Any, NamedTuple, Self, TypeVar

import requests
from ruamel.yaml import YAML

from adapters.practice.server import DeskServer
from adapters.zendesk.sandbox import Fault, ZendeskSandbox
from connector.demo.processes import Child, DemoFailed, PracticeDesk
from connector.demo.scenario import load

PATIENCE = 40.0
"""Seconds after which an awaited thing is taken as not coming: many times what a busy CI needs."""

LOOK_AGAIN = 0.05
"""Seconds between two looks at a state that tells nobody when it changes."""

EXPORT = "GET /api/v2/incremental"
UPDATE = "PUT /api/v2/tickets/"
Json = Mapping[str, Any]
FoundT = TypeVar("FoundT")


def triaged(
    *arguments: str, given: str = "", **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run a command as a process to its end; `given` is its standard input."""
    return subprocess.run(
        [sys.executable, "-m", "connector", *arguments],
        input=given,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, "COLUMNS": "200", **environment},
        timeout=PATIENCE * 4,
        check=False,
    )


def direct() -> requests.Session:
    """Give a session that no proxy of the environment can come between."""
    session = requests.Session()
    session.trust_env = False
    return session


def until(what: str, look: Callable[[], FoundT]) -> FoundT:
    """Give the first true answer of `look`; fail naming `what` when none comes in time."""
    deadline = monotonic() + PATIENCE
    pause = Event()
    while not (found := look()):
        assert monotonic() < deadline, f"still waiting: {what}"
        pause.wait(LOOK_AGAIN)
    return found


class Desk:
    """A practice desk in this process behind a real HTTP server, and its control API.

    Zendesk's, unless another platform's sandbox is given.
    """

    def __init__(self, sandbox: Any = None) -> None:
        self.sandbox = sandbox or ZendeskSandbox()
        self._session = direct()

    def __enter__(self) -> Self:
        self.sandbox.__enter__()
        self.set(export_delay=0)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._session.close()
        self.sandbox.__exit__(*exc_info)

    @property
    def url(self) -> str:
        """Give the desk's address."""
        return self.sandbox.url

    def get(self, path: str) -> Any:
        """Ask the control API."""
        return self._call("GET", path, None)

    def post(self, path: str, content: Any) -> Any:
        """Tell the control API something."""
        return self._call("POST", path, content)

    def set(self, **settings: float) -> None:
        """Make the desk behave so from now on."""
        self.post("settings", settings)

    def break_next(self, *faults: Fault) -> None:
        """Let these go wrong with the next calls that they match."""
        self.sandbox.break_next(*faults)

    def on_call(self, number: int, match: str, action: Callable[[], object]) -> None:
        """Do something just before the desk answers the so-manieth call that begins with `match`.

        The desk answers the call all the same, unless the action raises.
        """
        quiet = Fault(match=match, times=number - 1, before=lambda: None)
        self.break_next(*([quiet] if number > 1 else []), Fault(match=match, before=action))

    def arrive(self, subject: str, description: str = "", **more: object) -> str:
        """File a ticket; give its id."""
        content = {"subject": subject, "description": description or subject, **more}
        return str(self.post("tickets", content)["id"])

    def ticket(self, ticket: str) -> Json:
        """Read a ticket as a person sees it."""
        seen: Json = self.get(f"tickets/{ticket}")
        return seen

    def writes(self, tickets: Iterable[str]) -> list[int]:
        """Count the API writes that each ticket got."""
        return [self.ticket(ticket)["writes"] for ticket in tickets]

    def calls(self, match: str) -> int:
        """Count the API calls that begin with `match`."""
        calls: Mapping[str, int] = self.get("calls")
        return sum(count for call, count in calls.items() if call.startswith(match))

    def hook_to(self, daemon: "Daemon", tenant: str = "acme") -> None:
        """Deliver arrivals to a daemon from now on."""
        self.post("webhook", {"url": f"{daemon.address}/hooks/{tenant}"})

    def close_down(self) -> None:
        """Refuse every connection, as a desk whose machine is off."""
        self.sandbox._server.shutdown()
        self.sandbox._thread.join()
        self.sandbox._server.server_close()

    def come_up(self) -> None:
        """Serve again at the same address."""
        sandbox = self.sandbox
        address = sandbox._server.server_address[:2]
        sandbox._server = DeskServer((str(address[0]), int(address[1])), sandbox.desk)
        sandbox._thread = Thread(target=sandbox._serve, daemon=True)
        sandbox._thread.start()

    def _call(self, method: str, path: str, content: Any) -> Any:
        answer = self._session.request(method, f"{self.url}/sandbox/{path}", json=content)
        assert answer.ok, f"{method} {path}: {answer.status_code} {answer.text}"
        return answer.json()


class Daemon:
    """A daemon process whose log events can be awaited."""

    def __init__(
        self, site: "Site", log: Path, environment: Mapping[str, str], module: str = "connector"
    ) -> None:
        self.site = site
        self.log = log
        self._child = Child(
            *("run", "--config", str(site.config), "--log-format", "json"),
            log=log,
            module=module,
            environment={"CREDENTIALS_DIRECTORY": str(site.secrets), **environment},
        )
        self._seen: list[Json] = []
        self._session = direct()
        self.address = ""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._session.close()
        self._child.end()

    @property
    def pid(self) -> int:
        """Give the process id."""
        return self._child.pid

    def event(self, name: str, **facts: object) -> Json:
        """Give the first event of that name and with those facts, waiting when it is to come."""

        def fits(event: Json) -> bool:
            return event["event"] == name and all(event.get(k) == v for k, v in facts.items())

        for seen in self._seen:
            if fits(seen):
                return seen
        deadline = monotonic() + PATIENCE
        try:
            for event in self._child.events(PATIENCE):
                self._seen.append(event)
                if fits(event):
                    return event
                assert monotonic() < deadline, f"no {name} {facts}\n{self.text()}"
        except DemoFailed as silence:
            raise AssertionError(f"no {name} {facts}: {silence}\n{self.text()}") from None
        raise AssertionError(name)

    def told(self, name: str) -> Sequence[Json]:
        """Give the events of that name that were logged up to now."""
        lines = self.text().splitlines()
        events = (json.loads(line) for line in lines if line.startswith("{"))
        return [event for event in events if event["event"] == name]

    def text(self) -> str:
        """Give the whole log up to now."""
        return self.log.read_text(encoding="utf-8")

    def ready(self, *tenants: str) -> Self:
        """Wait until the daemon serves and these tenants' desks are connected."""
        self.address = str(self.event("ready")["address"])
        for tenant in tenants:
            self.event("tenant_connected", tenant=tenant)
        return self

    def get(self, path: str) -> requests.Response:
        """Ask the daemon over HTTP."""
        return self._session.get(f"{self.address}{path}", timeout=PATIENCE)

    def hook(self, tenant: str, body: bytes, headers: Mapping[str, str]) -> requests.Response:
        """Call the daemon as a desk would."""
        url = f"{self.address}/hooks/{tenant}"
        return self._session.post(url, data=body, headers=headers, timeout=PATIENCE)

    def metric(self, name: str, **labels: str) -> float:
        """Sum the samples of a metric that carry these labels."""
        total = 0.0
        for line in self.get("/metrics").text.splitlines():
            sample, _, value = line.rpartition(" ")
            found, _, rest = sample.partition("{")
            if found == name and all(f'{k}="{v}"' in rest for k, v in labels.items()):
                total += float(value)
        return total

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        os.kill(self.pid, number)

    def left(self) -> int:
        """Wait until the daemon ends by itself; give its exit code."""
        code = self._child._process.wait(PATIENCE)
        self._child._reader.join(PATIENCE)
        return code

    def end(self) -> int:
        """Ask the daemon to finish and end, if it has not ended yet; give its exit code."""
        return self._child.end()


class Site:
    """A folder with configuration, secrets and state, and the daemons that ran on it."""

    def __init__(self, folder: Path, resources: ExitStack) -> None:
        self.folder = folder
        self.config = folder / "triaged.yaml"
        self.secrets = folder / "secrets"
        self.state = folder / "state"
        self._resources = resources
        self._daemons: list[Daemon] = []
        for place in (self.secrets, folder / "tenants"):
            place.mkdir(mode=0o700)
        self.configure()

    def configure(self, **settings: object) -> None:
        """Write `triaged.yaml`; the web server takes a free port unless told otherwise."""
        web = {"listen": "127.0.0.1:0"}
        write_yaml(self.config, {"state": "state", "web": web, **settings})

    def tenant(self, name: str, at: Desk | PracticeDesk, **changes: object) -> Path:
        """Write a tenant file and its secrets; `changes` are sections that differ.

        Tickets are looked for five times a second: what takes a minute in life takes no time here.
        """
        settings: dict[str, Any] = at.get("tenant")
        for secret, value in settings.pop("secrets").items():
            own = f"{name}.{secret}"
            self.secret(own, value)
            settings = json.loads(json.dumps(settings).replace(f"secret:{secret}", f"secret:{own}"))
        settings["intake"]["poll"] = "200ms"
        file = self.folder / "tenants" / f"{name}.yaml"
        write_yaml(file, {**settings, "tenant": name, **changes})
        return file

    def secret(self, name: str, value: str) -> None:
        """Store a secret as a systemd credential."""
        (self.secrets / name).write_text(value, encoding="utf-8")

    def triaged(self, command: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command with this folder's configuration and secrets."""
        own = ("--config", str(self.config))
        return triaged(command, *own, *arguments, CREDENTIALS_DIRECTORY=str(self.secrets))

    def daemon(self, module: str = "connector", **environment: str) -> Daemon:
        """Start a daemon; it ends with the test at the latest."""
        log = self.folder / f"daemon-{len(self._daemons)}.log"
        daemon = self._resources.enter_context(Daemon(self, log, environment, module))
        self._daemons.append(daemon)
        return daemon

    def told(self, name: str) -> Sequence[Json]:
        """Give the events of that name from all daemons that ran here."""
        return [event for daemon in self._daemons for event in daemon.told(name)]


class Running(NamedTuple):
    """A daemon with two tenants: `hooked` hears by webhook alone, `polled` by poll alone."""

    daemon: Daemon
    hooked: Desk
    polled: Desk


FIELDS = {"category": "360001", "priority": "priority", "sentiment": "360002", "assignee": "360003"}
"""The sandbox's field for each aspect, as its tenant file maps them."""


def decided(event: Json) -> Mapping[str, object]:
    """Give the value that a `ticket_triaged` event says was written, per field; `None`: none."""
    return {
        FIELDS[verdict["aspect"]]: verdict["value"] if verdict["action"] == "write" else None
        for verdict in event["verdicts"]
    }


def standing(desk: Desk, event: Json) -> Mapping[str, object]:
    """Give what the desk holds in the fields that a `ticket_triaged` event is about."""
    fields = desk.ticket(event["ticket"])["fields"]
    return {field: fields[field] or None for field in decided(event)}


def furnish(desk: Desk) -> None:
    """Give a desk people and resolved tickets, so that an assignee can be suggested."""
    scenario = load()
    desk.post("staff", {"groups": scenario.groups, "agents": scenario.agents})
    emails = {agent["name"]: agent["email"] for agent in scenario.agents}
    for solved in scenario.history:
        assigned = {"group": solved["group"], "assignee": emails[solved["agent"]]}
        desk.arrive(solved["subject"], solved["body"], status="solved", **assigned)


def write_yaml(path: Path, content: Mapping[str, Any]) -> None:
    """Write a YAML file."""
    with path.open("w", encoding="utf-8") as file:
        YAML(typ="safe", pure=True).dump(dict(content), file)
