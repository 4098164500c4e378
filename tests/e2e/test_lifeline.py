"""The daemon as systemd sees it: ready, alive, stuck, reloading, stopping."""

import os
import signal
import time
from collections.abc import Callable
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import pytest
from freeze import Frozen
from mutations import PLACED, mutations, put
from notified import Listener
from world import EXPORT, Daemon, until

TEXT = "VPN down", "The VPN does not connect since this morning, nobody here can work."
REFUSALS = int(os.environ.get("TRIAGED_REFUSALS", "8"))
"""Broken configurations in a row; 200 take some four minutes."""

LOOPS = ("worker 1", "web", "store", "timetable", "visit acme")

WATCHDOG = {"WATCHDOG_USEC": "2000000"}


@pytest.fixture
def systemd(tmp_path, resources) -> Listener:
    return resources.enter_context(Listener(tmp_path / "notify"))


@pytest.fixture
def notified(systemd, tenanted) -> Daemon:
    """Give a daemon that is ready, whose tenant `acme` is connected."""
    daemon = tenanted.daemon(NOTIFY_SOCKET=systemd.address, **WATCHDOG)
    systemd.await_line("READY=1", 1)
    return daemon.ready("acme")


@pytest.fixture
def reload(systemd) -> Callable[[Daemon], None]:
    """Give a function that has a daemon reread its configuration, and waits for the end of it."""

    def reload(daemon: Daemon) -> None:
        before = systemd.heard("READY=1")
        daemon.signal(signal.SIGHUP)
        systemd.await_line("READY=1", before + 1)

    return reload


def test_systemd_hears_of_the_start_when_calls_are_taken_and_of_the_end(systemd, notified) -> None:
    assert notified.get("/readyz").status_code == 200
    assert systemd.status == f"serving 1 tenants at {notified.address}"
    systemd.await_line("WATCHDOG=1", 3)
    assert notified.end() == 0
    assert systemd.heard("STOPPING=1") == 1


def test_a_loop_that_stands_still_is_named_and_the_watchdog_hears_nothing(
    systemd, tenanted, desk, resources
) -> None:
    ours = {"NOTIFY_SOCKET": systemd.address, "PYTHONPATH": str(Path(__file__).parent)}
    daemon = tenanted.daemon("impatient", **ours, **WATCHDOG).ready("acme")
    for loop in LOOPS:
        held = resources.enter_context(ExitStack())
        freeze = partial(
            lambda held, loop: held.enter_context(Frozen(daemon.pid, loop)), held, loop
        )
        if loop.startswith("visit"):  # there is none but while the desk is asked
            desk.on_call(1, EXPORT, freeze)
        else:
            freeze()
        daemon.event("loop_stuck", loop=loop)
        systemd.await_line(f"STATUS=stuck: {loop}", 1)
        signs = systemd.heard("WATCHDOG=1")
        time.sleep(1.2)  # two signs of life would be due
        assert systemd.heard("WATCHDOG=1") == signs
        if loop != "web":
            answer = daemon.get("/readyz")
            assert (answer.status_code, answer.json()) == (503, {"status": f"stuck: {loop}"})
        held.close()
        daemon.event("loop_moving", loop=loop)
        systemd.await_line("WATCHDOG=1", signs + 1)
        daemon.event("ticket_triaged", ticket=desk.arrive(*TEXT))
    assert [event["loop"] for event in daemon.told("loop_stuck")] == list(LOOPS)


def test_tenants_come_change_and_go_without_a_restart(
    systemd, tenanted, notified, reload, desk, new_desk
) -> None:
    other = new_desk()
    tenanted.tenant("beta", other)
    reload(notified)
    assert "MONOTONIC_USEC=" in systemd.message("RELOADING=1")
    told = notified.event("reloaded")
    assert (told["added"], told["changed"], told["removed"]) == (["beta"], [], [])
    notified.event("tenant_connected", tenant="beta")
    other.hook_to(notified, "beta")
    notified.event("ticket_triaged", tenant="beta", ticket=other.arrive(*TEXT, hook=True))
    tenanted.tenant("acme", desk, aspects={"priority": {"field": "priority", "mode": "auto"}})
    reload(notified)
    assert notified.event("reloaded", changed=["acme"])["added"] == []
    told = notified.event("ticket_triaged", tenant="acme", ticket=desk.arrive(*TEXT))
    assert [verdict["aspect"] for verdict in told["verdicts"]] == ["priority"]
    (tenanted.folder / "tenants" / "beta.yaml").unlink()
    reload(notified)
    notified.event("reloaded", removed=["beta"])
    polls = other.calls(EXPORT)
    other.arrive(*TEXT, hook=True)
    until("it is refused", lambda: 401 in {x["status"] for x in other.get("webhook/deliveries")})
    notified.event("ticket_triaged", tenant="acme", ticket=desk.arrive(*TEXT))
    assert other.calls(EXPORT) == polls
    connected = [event["tenant"] for event in notified.told("tenant_connected")]
    assert connected == ["acme", "beta", "acme"]
    assert notified.get("/readyz").status_code == 200


def test_a_broken_configuration_is_refused_with_its_place_and_the_old_one_serves(
    systemd, tenanted, notified, reload, desk
) -> None:
    file = tenanted.folder / "tenants" / "acme.yaml"
    right = file.read_text("utf-8")
    file.write_text(right.replace("intake:", "intaek:"), "utf-8")
    reload(notified)
    refused = notified.event("reload_refused")["error"]
    assert PLACED.match(refused)
    assert refused.startswith(f"{file}:")
    assert "did you mean 'intake'" in refused
    assert "refused" in systemd.status
    notified.event("ticket_triaged", ticket=desk.arrive(*TEXT))
    file.write_text(right, "utf-8")
    reload(notified)
    told = notified.event("reloaded")
    assert not [each for each in ("added", "changed", "removed", "again") if told[each]]
    assert systemd.status == f"serving 1 tenants at {notified.address}"
    assert len(notified.told("tenant_connected")) == 1


def test_what_only_a_start_takes_over_is_named(tenanted, notified, reload, desk) -> None:
    tenanted.configure(
        state="elsewhere", web={"listen": "127.0.0.1:1"}, retention={"finished": "30d"}
    )
    reload(notified)
    assert notified.event("restart_needed")["settings"] == ["state", "web.listen"]
    notified.event("reloaded")
    notified.event("ticket_triaged", ticket=desk.arrive(*TEXT))
    assert not (tenanted.folder / "elsewhere").exists()


def test_a_tenant_that_waits_for_a_person_is_tried_again_with_its_new_secret(
    tenanted, systemd, reload, desk
) -> None:
    token = tenanted.secrets / "acme.sandbox.zendesk-token"
    right = token.read_text("utf-8")
    token.write_text("an outdated token", "utf-8")
    daemon = tenanted.daemon(NOTIFY_SOCKET=systemd.address).ready()
    daemon.event("tenant_paused", tenant="acme")
    reload(daemon)
    assert daemon.event("reloaded")["again"] == ["acme"]
    token.write_text(right, "utf-8")
    reload(daemon)
    daemon.event("reloaded", changed=["acme"])
    daemon.event("tenant_connected", tenant="acme")
    daemon.event("ticket_triaged", ticket=desk.arrive(*TEXT))


def test_a_secret_that_is_missing_refuses_the_whole_reload(tenanted, notified, reload) -> None:
    (tenanted.secrets / "acme.sandbox.zendesk-token").unlink()
    reload(notified)
    assert "triaged secret set" in notified.event("reload_refused")["error"]
    assert not notified.told("reloaded")


def test_broken_files_one_after_the_other_never_change_what_serves(
    tenanted, notified, reload, desk
) -> None:
    names = ("triaged.yaml", "tenants/acme.yaml")
    texts = {name: (tenanted.folder / name).read_text("utf-8") for name in names}
    refused = 0
    for mutated in mutations(7, texts):
        before = ended(notified)
        put(tenanted.folder, mutated)
        reload(notified)
        until("the log tells of it", lambda before=before: ended(notified) != before)
        is_refused = ended(notified)[0] == before[0]
        (tenanted.folder / mutated.file).write_text(texts[mutated.file], "utf-8")
        if not is_refused:  # it is no mistake: back to what was
            reload(notified)
        refused += is_refused
        if refused == REFUSALS:
            break
    errors = [each["error"] for each in notified.told("reload_refused")]
    assert not [error for error in errors if not PLACED.match(error)]
    notified.event("ticket_triaged", ticket=desk.arrive(*TEXT))


def ended(daemon: Daemon) -> tuple[int, int]:
    """Count what was said of reloads: the good ones, and the reasons of the refused ones."""
    return len(daemon.told("reloaded")), len(daemon.told("reload_refused"))
