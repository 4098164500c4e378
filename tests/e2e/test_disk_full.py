"""A full disk under a running daemon: calls are put off, and all goes on once there is room."""

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from test_ingress import body_for, signed


@pytest.fixture
def small_disk(site) -> Iterator[Path]:
    """Put the state directory on a disk of eight mebibytes."""
    site.state.mkdir()
    if os.geteuid() != 0:
        pytest.skip("only root may mount a small disk")
    mount = ["/bin/mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(site.state)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("this machine does not let us mount a small disk")
    yield site.state
    subprocess.run(["/bin/umount", "-l", str(site.state)], check=True)


def fill(disk: Path) -> Path:
    """Leave not a byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (65536, 4096, 1):
            try:
                while file.write(b"x" * size):
                    pass
            except OSError:
                continue
    return filler


def test_a_full_disk_puts_calls_off_and_heals_without_a_restart(site, desk, small_disk) -> None:
    site.tenant("acme", desk, intake={"poll": "1h", "webhook": {"secret": "secret:hook"}})
    site.secret("hook", desk.sandbox.webhook_secret.reveal())
    daemon = site.daemon().ready("acme")

    def call(ticket: str) -> requests.Response:
        body = body_for(ticket)
        return daemon.hook("acme", body, signed(desk, body))

    filler = fill(small_disk)
    refused = [call("99999999") for _ in range(20)]
    assert {answer.status_code for answer in refused} == {503}
    assert "Retry-After" in refused[0].headers
    assert daemon.get("/readyz").ok
    filler.unlink()
    ticket = desk.arrive("VPN down", "The VPN does not connect.")
    assert call(ticket).status_code == 202
    daemon.event("ticket_triaged", tenant="acme", ticket=ticket)
