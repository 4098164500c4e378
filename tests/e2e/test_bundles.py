"""Bundles promoted, damaged and rolled back beside a running daemon."""

import json
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from subprocess import CompletedProcess
from threading import Event

import pytest
from likes_of_shipped import alike
from world import Daemon, Desk, Site, triaged, until

import classifiers
from connector.handover import LOOKED_FOR
from connector.shelf import Shelf

TEXT = ("VPN down", "The VPN does not connect since this morning, nobody here can work.")


@pytest.fixture
def shop(site: Site, desk: Desk) -> Site:
    """Give a folder whose tenant `acme` names the bundle `ours`, of which version 1 serves."""
    site.tenant("acme", desk, bundle="ours")
    assert promote(site, alike(site.folder / "1", "1")).returncode == 0
    return site


def models(site: Site, *arguments: str) -> CompletedProcess[str]:
    return triaged("models", *arguments, "--config", str(site.config))


def promote(site: Site, folder: Path) -> CompletedProcess[str]:
    return models(site, "promote", str(folder))


def damage(folder: Path) -> None:
    with (folder / "model.onnx").open("r+b") as opened:
        opened.seek(5_000_000)
        opened.write(b"?")


def answered_by(site: Site, desk: Desk, daemon: Daemon, tenant: str = "acme") -> str:
    """Let a ticket come, and give the bundle that the ledger names for it."""
    ticket = desk.arrive(*TEXT)
    daemon.event("ticket_triaged", tenant=tenant, ticket=ticket)
    query = "SELECT bundle FROM ledger WHERE tenant = ? AND ticket = ?"
    with closing(sqlite3.connect(f"file:{site.state}/triaged.db?mode=ro", uri=True)) as store:
        [[bundle]] = store.execute(query, (tenant, ticket)).fetchall()
    return str(bundle)


def shelf(site: Site) -> Shelf:
    return Shelf(site.state / "models", classifiers.kind.describe)


def promoted_behind_our_back(site: Site, version: str) -> None:
    """Make a version serve that no command would let through."""
    shelf(site).promote("ours", version, datetime.now(UTC))


def test_a_running_daemon_takes_up_what_is_promoted_and_rolled_back(shop, desk) -> None:
    daemon = shop.daemon().ready("acme")
    assert daemon.event("ready")["bundle"] == "ours@1"
    assert answered_by(shop, desk, daemon) == "ours@1"

    done = promote(shop, alike(shop.folder / "2", "2"))
    assert (done.returncode, done.stdout) == (0, "ours@2 serves, instead of ours@1\n"), done.stderr
    daemon.event("bundle_serving", tenant="acme", bundle="ours@2", before="ours@1")
    assert answered_by(shop, desk, daemon) == "ours@2"

    done = models(shop, "rollback", "ours")
    assert done.stdout == "ours@1 serves again, instead of ours@2\n"
    daemon.event("bundle_serving", tenant="acme", bundle="ours@1", before="ours@2")
    assert answered_by(shop, desk, daemon) == "ours@1"
    assert daemon.end() == 0
    assert "Traceback" not in daemon.text()


def test_a_bundle_that_is_damaged_or_answers_otherwise_never_serves(shop, desk) -> None:
    daemon = shop.daemon().ready("acme")
    damaged, wrong = alike(shop.folder / "2", "2"), alike(shop.folder / "3", "3", golden=lies())
    damage(damaged)
    done = promote(shop, damaged)
    assert done.returncode == 1
    assert "model.onnx is damaged" in done.stderr
    done = promote(shop, wrong)
    assert done.returncode == 1
    assert "golden tickets" in done.stderr
    assert shelf(shop).versions() == [("ours", "1")]

    # What no command lets through comes by another way: a disk, a copy by hand.
    assert promote(shop, alike(shop.folder / "4", "4")).returncode == 0
    daemon.event("bundle_serving", bundle="ours@4")
    damage(shelf(shop).folder("ours", "1"))
    promoted_behind_our_back(shop, "1")
    refused = daemon.event("bundle_refused", bundle="ours@1", serving="ours@4")
    assert "model.onnx is damaged" in refused["error"]
    wrong.rename(shelf(shop).folder("ours", "3"))
    promoted_behind_our_back(shop, "3")
    refused = daemon.event("bundle_refused", bundle="ours@3", serving="ours@4")
    assert "no longer" not in refused["error"]
    Event().wait(2 * LOOKED_FOR)
    assert len(daemon.told("bundle_refused")) == 2
    assert answered_by(shop, desk, daemon) == "ours@4"
    assert models(shop, "rollback", "ours").returncode == 1, "version 1 is damaged"
    assert answered_by(shop, desk, daemon) == "ours@4"


def lies() -> Sequence[object]:
    answer = {"label": "hardware", "confidence": 0.31}
    return [{"text": TEXT[1], "answers": {"category": answer}}]


def test_a_start_takes_the_newest_earlier_one_and_fails_when_there_is_none(shop, desk) -> None:
    assert promote(shop, alike(shop.folder / "2", "2")).returncode == 0
    damage(shelf(shop).folder("ours", "2"))
    daemon = shop.daemon().ready("acme")
    [refused] = daemon.told("bundle_refused")
    assert (refused["level"], refused["bundle"]) == ("error", "ours@2")
    assert answered_by(shop, desk, daemon) == "ours@1"
    checked = shop.triaged("check")
    assert checked.returncode == 1
    assert "ours@2 cannot serve" in checked.stdout
    assert "✓ model ours: ours@1" in checked.stdout
    # Promoted anew, the damaged one is mended, and the daemon sees it.
    assert promote(shop, shop.folder / "2").returncode == 0
    daemon.event("bundle_serving", bundle="ours@2", before="ours@1")
    assert daemon.end() == 0

    for version in "12":
        damage(shelf(shop).folder("ours", version))
    ended = shop.triaged("run")
    assert ended.returncode == 1
    assert "None of a bundle's promoted versions can serve" in ended.stderr
    assert "triaged models promote FOLDER" in ended.stderr
    assert shop.triaged("check").returncode == 1


def test_two_tenants_with_two_bundles_are_each_answered_by_their_own(shop, desk, new_desk) -> None:
    other = new_desk()
    shop.tenant("beta", other, bundle="theirs")
    assert promote(shop, alike(shop.folder / "t", "7", name="theirs")).returncode == 0
    daemon = shop.daemon().ready("acme", "beta")
    assert daemon.event("ready")["bundle"] == "ours@1, theirs@7"
    assert answered_by(shop, desk, daemon) == "ours@1"
    assert answered_by(shop, other, daemon, "beta") == "theirs@7"
    listed = json.loads(models(shop, "list", "--json").stdout)
    assert [(one["name"], one["tenants"]) for one in listed] == [
        ("default", []),
        ("ours", ["acme"]),
        ("theirs", ["beta"]),
    ]


def test_a_tenant_that_names_an_unknown_bundle_is_told_where(shop) -> None:
    file = shop.folder / "tenants" / "acme.yaml"
    file.write_text(file.read_text().replace("bundle: ours", "bundle: our"))
    ended = shop.triaged("check")
    assert ended.returncode == 78
    line = 1 + file.read_text().splitlines().index("bundle: our")
    assert f"acme.yaml:{line}:9: bundle: no bundle 'our' was promoted" in ended.stderr
    assert "did you mean 'ours'?" in ended.stderr
    assert shop.triaged("run").returncode == 78


def test_tickets_flow_while_a_bundle_is_taken_up(shop, desk) -> None:
    daemon = shop.daemon().ready("acme")
    tickets = [desk.arrive(f"VPN down in office {n}", f"{TEXT[1]} Room {n}.") for n in range(60)]
    assert promote(shop, alike(shop.folder / "2", "2")).returncode == 0
    daemon.event("bundle_serving", bundle="ours@2")
    until("every ticket is written", lambda: all(desk.writes(tickets)))
    assert desk.writes(tickets) == [1] * len(tickets)
