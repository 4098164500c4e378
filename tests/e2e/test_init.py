"""From nothing to a connected desk by one command, typed or scripted; nothing is overwritten."""

import os
import pty
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from subprocess import CompletedProcess

import keyring
import pytest
from keyring.backends import fail
from test_secret import sealing
from world import Desk, Site

from adapters.rt.sandbox import RtSandbox
from adapters.servicenow.sandbox import ServiceNowSandbox
from adapters.zendesk.sandbox import ZendeskSandbox
from connector import config, credstore, registry, secrets

PLATFORMS = {
    "zendesk": (ZendeskSandbox, "token"),
    "servicenow": (ServiceNowSandbox, "password"),
    "rt": (RtSandbox, "token"),
}


@pytest.fixture
def fresh(site: Site) -> Site:
    """A folder in which nothing is configured yet."""
    site.config.unlink()
    (site.folder / "tenants").rmdir()
    return site


def told(desk: Desk) -> tuple[Mapping[str, str], str]:
    """Give what an administrator knows of a desk: address and account, and the credential."""
    tenant = desk.get("tenant")
    [secret] = [value for name, value in tenant["secrets"].items() if "webhook" not in name]
    return tenant["desk"], secret


@pytest.fixture
def init(fresh: Site, inside) -> Callable[..., CompletedProcess[str]]:
    """Give a function that runs the command without questions."""

    def run(desk: Desk, *more: str, given: str = "", **changed: str) -> CompletedProcess[str]:
        known = {**told(desk)[0], **changed}
        options = [f"--{key}={known[key]}" for key in ("platform", "url", "account")]
        return inside(
            "init",
            "--non-interactive",
            "--tenant",
            "acme",
            *options,
            *more,
            site=fresh,
            given=given,
        )

    return run


@pytest.mark.parametrize("platform", PLATFORMS)
def test_a_desk_of_each_platform_is_connected_by_one_command(
    fresh, init, resources, platform
) -> None:
    sandbox, key = PLATFORMS[platform]
    desk = resources.enter_context(Desk(sandbox())) if platform == "zendesk" else None
    if desk is None:
        desk = Desk(resources.enter_context(sandbox()))
        resources.callback(desk._session.close)
    fresh.secret(f"acme.{platform}-{key}", told(desk)[1])
    ended = init(desk)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert f"written: {fresh.folder}/tenants/acme.yaml" in ended.stdout
    assert "✓ acme: desk: Triage" in ended.stdout
    [tenant] = config.load(fresh.config, registry.platforms()).tenants
    active = dict(tenant.aspects.active())
    assert set(active) == {"category", "priority", "sentiment", "assignee"}
    assert {each.mode for each in active.values()} == {"shadow"}
    if platform == "servicenow":
        assert active["priority"].values == {"urgent": "1", "high": "2", "normal": "3", "low": "4"}


def test_the_daemon_writes_its_first_fields_by_what_was_written(fresh, desk, init) -> None:
    fresh.secret("acme.zendesk-token", told(desk)[1])
    assert init(desk, "--mode", "auto").returncode == 0
    text = fresh.config.read_text()
    fresh.config.write_text(text.replace("127.0.0.1:8470", "127.0.0.1:0"))
    file = fresh.folder / "tenants" / "acme.yaml"
    file.write_text(file.read_text().replace("poll: 60s", "poll: 200ms"))
    daemon = fresh.daemon().ready("acme")
    ticket = desk.arrive("VPN down", "The VPN does not connect since this morning.")
    daemon.event("ticket_triaged", ticket=ticket)
    assert desk.ticket(ticket)["fields"]["360001"] == "network"


@sealing
def test_the_credential_is_tried_before_it_is_stored(fresh, desk, init, monkeypatch) -> None:
    monkeypatch.setattr(keyring, "get_keyring", fail.Keyring)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(secrets, "is_booted", lambda: True)
    monkeypatch.setattr(credstore, "BOOTED", fresh.folder / "not-booted")
    monkeypatch.setattr(credstore, "DIRECTORY", fresh.folder / "credentials")
    monkeypatch.setattr(credstore, "DROP_IN", fresh.folder / "drop-in" / "50.conf")
    monkeypatch.setattr(secrets, "CREDENTIALS_DIRECTORY", "NOT_SET_HERE")
    refused = init(desk, given="a wrong one\n")
    assert refused.returncode == 1
    assert "The desk refused our credential" in refused.stderr
    assert not (fresh.folder / "credentials").exists()
    assert not fresh.config.exists()
    ended = init(desk, given=f"{told(desk)[1]}\n")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert "stored: acme.zendesk-token, the credential of acme (systemd" in ended.stdout
    assert secrets.resolver()("acme.zendesk-token").reveal() == told(desk)[1]
    assert told(desk)[1] not in ended.stdout + ended.stderr


def test_a_file_that_exists_is_not_touched_unless_told(fresh, desk, init) -> None:
    fresh.secret("acme.zendesk-token", told(desk)[1])
    assert init(desk).returncode == 0
    file = fresh.folder / "tenants" / "acme.yaml"
    mine = file.read_text() + "# mine\n"
    file.write_text(mine)
    again = init(desk)
    assert again.returncode == 1
    assert "exists and was not touched; `--replace` overwrites it" in again.stderr
    assert file.read_text() == mine
    assert init(desk, "--replace").returncode == 0
    assert "# mine" not in file.read_text()


WRONG = {
    "no such field": (["--field", "category=nope"], {}, 78, "no field 'nope' of this desk fits;"),
    "no such aspect": (["--field", "mood=360002"], {}, 2, "write ASPECT=FIELD"),
    "no such platform": ([], {"platform": "zendsk"}, 2, "there is one for "),
    "an address in clear": ([], {"url": "http://desk.example"}, 78, "desk.url: write https"),
    "no account": ([], {"account": "nobody"}, 78, "desk.account: write the e-mail address"),
    "no such key": (["--set", "colour=red"], {}, 78, "desk.colour"),
    "a name with capitals": (["--tenant", "ACME Corp"], {}, 2, "write small letters"),
    "no such credential": (["--credential", "password"], {}, 2, "there is token"),
}


@pytest.mark.parametrize("kind", WRONG)
def test_a_wrong_answer_is_told_and_nothing_is_written(fresh, desk, init, kind) -> None:
    more, changed, code, message = WRONG[kind]
    fresh.secret("acme.zendesk-token", told(desk)[1])
    ended = init(desk, *more, **changed)
    assert (ended.returncode, message in ended.stderr) == (code, True), ended.stderr
    assert not fresh.config.exists()


def test_what_is_not_given_is_named(inside, fresh) -> None:
    ended = inside("init", "--non-interactive", "--platform", "zendesk", site=fresh)
    assert ended.returncode == 2
    assert "url is not given: The account's address" in ended.stderr


def typed(words: Sequence[str], environment: Mapping[str, str], keys: str) -> Iterator[bytes]:
    """Run a command on a terminal and type; give what the terminal shows."""
    terminal, its_end = pty.openpty()
    command = [sys.executable, "-m", "connector", *words]
    streams = dict.fromkeys(("stdin", "stdout", "stderr"), its_end)
    with subprocess.Popen(command, env=environment, start_new_session=True, **streams) as process:
        os.close(its_end)
        os.write(terminal, keys.encode())
        try:
            while piece := os.read(terminal, 4096):
                yield piece
        except OSError:  # what Linux says at the end of a terminal
            pass
        finally:
            os.close(terminal)
            process.wait(60)


def test_on_a_terminal_every_question_has_a_default(fresh, desk) -> None:
    fresh.secret("acme.zendesk-token", told(desk)[1])
    known = told(desk)[0]
    keys = f"zendesk\n{known['url']}\n{known['account']}\nacme\n\n\n-\n\n"
    words = ["init", "--config", str(fresh.config)]
    environment = {**os.environ, "CREDENTIALS_DIRECTORY": str(fresh.secrets), "NO_COLOR": "1"}
    shown = b"".join(typed(words, environment, keys)).decode()
    assert "360001: Category, 6 options" in shown
    assert "acme: desk: Triage" in shown
    [tenant] = config.load(fresh.config, registry.platforms()).tenants
    assert set(dict(tenant.aspects.active())) == {"category", "priority", "assignee"}
