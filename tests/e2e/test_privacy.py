"""No ticket's words and no secret leave the line: not in a log, on disk, in status or metrics."""

import base64
import json
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest
from world import EXPORT, UPDATE, Daemon, Desk, Site, furnish, until

from adapters.zendesk.sandbox import Fault
from adapters.zendesk.sandbox.state import ACCOUNT
from adapters.zendesk.webhook import INVOCATION, SIGNATURE, TIMESTAMP

CANARIES = {
    "subject": "Zanzibarlock",
    "text": "quorvexandria",
    "quoted": "brimblewick",
    "reply": "fluxhammerite",
    "requester": "Ottilienschreck",
    "tag": "marmalukebird",
    "value": "kestrelvoid",
    "answer": "thimbleshrike",
    "hook": "gollywanderer",
}
"""A word for each place that a person's words can stand in, found nowhere else."""

SECRETS = ("token", "token as sent", "webhook secret")

TALKATIVE = """\
import logging
logging.basicConfig(level=logging.DEBUG)
logging.getLogger("sqlalchemy").setLevel(logging.DEBUG)
"""
"""Run before the daemon by Python itself: every library says all that it can say."""


class Told(NamedTuple):
    """What a daemon that met every canary left behind for others to read."""

    pieces: Mapping[str, bytes]
    log: str
    secrets: Mapping[str, str]

    def names(self, word: str) -> list[str]:
        """Name the pieces, and show the log's lines, in which a word stands in any case."""
        sought = word.casefold()
        lines = [line for line in self.log.splitlines() if sought in line.casefold()]
        found = [name for name, piece in self.pieces.items() if sought.encode() in piece.lower()]
        return [*found, *lines]


def an_evil_day(desk: Desk, daemon: Daemon) -> None:
    """Let every canary come in by every door, also where things go wrong."""
    words = f"The VPN does not connect. {CANARIES['text']} "
    told = {
        "subject": f"VPN {CANARIES['subject']}",
        "requester": CANARIES["requester"],
        "tags": [CANARIES["tag"]],
        "fields": {"360003": CANARIES["value"]},
    }
    quoted = f"<p>{words}</p><blockquote>{CANARIES['quoted']}</blockquote>"
    first = desk.arrive(description=quoted, hook=True, **told)
    daemon.event("ticket_triaged", ticket=first)
    desk.post(f"tickets/{first}", {"reply": f"It is worse now! {CANARIES['reply']}"})
    until("it was read again", lambda: len(daemon.told("ticket_triaged")) == 2)
    refusal = {"error": "RecordInvalid", "description": CANARIES["answer"]}
    warning = {"X-Zendesk-API-Warn": f'{{:unpermitted_keys=>["ticket.{CANARIES["answer"]}"]}}'}
    desk.break_next(Fault(match=UPDATE, status=422, body=refusal, headers=warning))
    daemon.event("ticket_set_aside", ticket=desk.arrive(description=words, **told))
    for body, headers in (
        (CANARIES["answer"], {"Retry-After": CANARIES["answer"]}),
        ({"error": {"title": "Oops", "message": CANARIES["answer"]}}, {"Retry-After": "0"}),
    ):
        desk.break_next(Fault(match=EXPORT, status=503, body=body, headers=headers))
        before = len(daemon.told("tenant_recovered"))
        until("it recovered", lambda n=before: len(daemon.told("tenant_recovered")) > n)
    strange = {"tickets": [{"id": CANARIES["answer"], "updated_at": CANARIES["answer"]}]}
    desk.break_next(Fault(match="GET /api/v2/tickets/show_many", status=200, body=strange))
    last = desk.arrive(description=words, **told)
    daemon.event("ticket_triaged", ticket=last)


def strange_calls(desk: Desk, daemon: Daemon) -> None:
    """Call the daemon with canaries in body, path and headers: forged, and signed but senseless."""
    body = json.dumps({"ticket": CANARIES["hook"]}).encode()
    names = (SIGNATURE, TIMESTAMP, INVOCATION)
    daemon.hook("acme", body, dict.fromkeys(names, CANARIES["hook"]))
    daemon.hook(CANARIES["hook"], body, {})
    daemon.get(f"/hooks/{CANARIES['hook']}?{CANARIES['hook']}")
    desk.post("webhook", {"url": f"{daemon.address}/hooks/acme"})
    webhook = desk.sandbox.hooks.registered["SANDBOX"]
    assert desk.sandbox.hooks.send(webhook, body, "E2E1").status_code == 202


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> Iterator[Told]:
    folder = tmp_path_factory.mktemp("privacy")
    (folder / "talkative").mkdir()
    (folder / "talkative" / "sitecustomize.py").write_text(TALKATIVE)
    with ExitStack() as resources:
        desk = resources.enter_context(Desk())
        furnish(desk)
        site = Site(folder, resources)
        site.tenant("acme", desk)
        daemon = site.daemon(PYTHONPATH=str(folder / "talkative")).ready("acme")
        desk.hook_to(daemon)
        an_evil_day(desk, daemon)
        strange_calls(desk, daemon)
        pieces = {"metrics": daemon.get("/metrics").content}
        # As a kill or a copy of the disk would find them: what was written and not yet tidied up.
        pieces |= {f"live {file.name}": file.read_bytes() for file in files_in(site.state)}
        assert daemon.end() == 0
        for options in ((), ("--json",)):
            ended = site.triaged("status", *options)
            pieces[f"status {options}"] = (ended.stdout + ended.stderr).encode()
        pieces |= {file.name: file.read_bytes() for file in files_in(site.state)}
        yield Told(pieces, daemon.text(), secrets_of(desk))


def files_in(state: Path) -> list[Path]:
    """List what holds bytes: a socket holds none."""
    return [path for path in state.iterdir() if not path.is_socket()]


def secrets_of(desk: Desk) -> Mapping[str, str]:
    token, key = desk.sandbox.token.reveal(), desk.sandbox.webhook_secret.reveal()
    sent = base64.b64encode(f"{ACCOUNT}/token:{token}".encode()).decode()
    return dict(zip(SECRETS, (token, sent, key), strict=True))


def test_the_daemon_was_at_its_most_talkative(told: Told) -> None:
    for library in ("urllib3.connectionpool", "sqlalchemy.engine"):
        assert f"DEBUG:{library}" in told.log or f"INFO:{library}" in told.log


def test_everything_that_a_daemon_leaves_was_looked_at(told: Told) -> None:
    files = {"triaged.db", "live triaged.db", "live triaged.db-wal"}
    assert {"metrics", "status ()", "status ('--json',)", *files} <= set(told.pieces)
    assert told.names("triaged") != []


@pytest.mark.parametrize("place", CANARIES)
def test_no_word_of_a_ticket_is_in_log_state_status_or_metrics(told: Told, place) -> None:
    assert told.names(CANARIES[place]) == []


@pytest.mark.parametrize("secret", SECRETS)
def test_no_secret_is_in_log_state_status_or_metrics(told: Told, secret) -> None:
    assert told.names(told.secrets[secret]) == []
