"""The commands on a shared database: moved there, looked at, worked on, and its troubles told."""

import json
import signal
from collections.abc import Iterator

import pytest
from postgresql import PASSWORD, PostgresServer, a_server, programs
from world import until

TEXT = ("VPN is down", "No connection to the VPN since eight o'clock, nobody can work.")

pytestmark = pytest.mark.skipif(
    programs() is None, reason="no PostgreSQL server's programs are installed (Debian: postgresql)"
)


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with a_server() as running:
        yield running


@pytest.fixture
def url(server) -> str:
    return server.fresh()


def test_work_is_moved_to_the_shared_database_and_goes_on_there(
    tenanted, desk, url, inside
) -> None:
    tenanted.secret("database", PASSWORD)
    daemon = tenanted.daemon().ready("acme")
    first = desk.arrive(*TEXT)
    daemon.event("ticket_triaged", ticket=first)
    refused = inside(
        "store", "migrate", "--to", url, "--to-password", "secret:database", site=tenanted
    )
    assert refused.returncode == 1
    assert "is in use by process" in refused.stderr
    assert daemon.end() == 0

    moved = inside(
        "store", "migrate", "--to", url, "--to-password", "secret:database", site=tenanted
    )
    assert moved.returncode == 0, moved.stderr
    assert f"store: {url}" in moved.stdout
    tenanted.configure(store=url, store_password="secret:database")
    checked = tenanted.triaged("check", "--online")
    assert "PostgreSQL database" in checked.stdout
    assert checked.returncode == 0

    with tenanted.daemon() as second:
        second.ready("acme")
        later = desk.arrive(*TEXT)
        second.event("ticket_triaged", ticket=later)
        assert desk.writes([first, later]) == [1, 1]
        [acme] = json.loads(tenanted.triaged("status", "--json").stdout)
        assert acme["states"]["done"] >= 2
        assert inside("queue", "audit", site=tenanted).returncode == 0
        assert PASSWORD not in second.text()

    back = inside("store", "migrate", "--to", "sqlite", "--json", site=tenanted)
    assert back.returncode == 1
    assert "holds" in back.stderr
    (tenanted.state / "triaged.db").unlink()
    back = inside("store", "migrate", "--to", "sqlite", "--json", site=tenanted)
    assert json.loads(back.stdout)["ledger"] == 2


def test_a_wrong_password_and_a_missing_secret_are_told(tenanted, url) -> None:
    tenanted.configure(store=url, store_password="secret:database")
    missing = tenanted.triaged("check")
    assert (missing.returncode, "`database`" in missing.stdout) == (78, True)
    tenanted.secret("database", "wrong")
    for command in (("check", "--online"), ("status",), ("run",)):
        told = tenanted.triaged(*command)
        assert told.returncode == 1
        assert "password authentication failed" in told.stdout + told.stderr
        assert "Traceback" not in told.stderr


def test_a_database_that_goes_away_and_comes_back_costs_nothing(
    tenanted, desk, server, url
) -> None:
    tenanted.secret("database", PASSWORD)
    tenanted.configure(store=url, store_password="secret:database")
    daemon = tenanted.daemon().ready("acme")
    daemon.event("ticket_triaged", ticket=desk.arrive(*TEXT))
    desk.hook_to(daemon)
    server.stop("immediate")
    try:
        ticket = desk.arrive(*TEXT, hook=True)
        until("it is refused", lambda: desk.get("webhook/deliveries")[0]["status"] == 503)
        assert daemon.get("/healthz").status_code == 200
        assert desk.writes([ticket]) == [0]
    finally:
        server.start()
    daemon.event("ticket_triaged", ticket=ticket)
    daemon.event("store_reachable")
    assert desk.writes([ticket]) == [1]
    assert len(daemon.told("worker_stumbled")) <= 4  # each worker says it once or twice
    assert "Traceback" not in daemon.text()
    daemon.signal(signal.SIGTERM)
    assert daemon.left() == 0
