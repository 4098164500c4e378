"""The Debian package on a machine that systemd runs: installed, served from, upgraded, purged.

`TRIAGED_MACHINE="ssh root@lab" python tests/e2e/debian.py OLDER.deb NEWER.deb` says what each step
took.
Nothing of triaged may be on the machine. The two packages may hold the same program under two
versions: `python package/deb.py WHEEL --version 0.1.1-1` makes the second.
"""

from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import TypeVar

import click
from machine import PREFIX, Desk, Failed, Machine, Unit, until

PLACE = "/var/tmp"  # noqa: S108 - on the machine, which is a lab's
LEFT = (
    "/etc/triaged",
    "/opt/triaged",
    "/usr/bin/triaged",
    "/var/lib/triaged",
    "/var/lib/private/triaged",
    "/etc/systemd/system/triaged.service.d",
    "/etc/systemd/system/multi-user.target.wants/triaged.service",
)
LISTEN = "127.0.0.1:9199"
READY = ("python3", "-c", "import sys, urllib.request as u; u.urlopen(sys.argv[1], timeout=5)")
DoneT = TypeVar("DoneT")


def timed(what: str, act: Callable[[], DoneT]) -> DoneT:
    began = monotonic()
    done = act()
    click.echo(f"{what:42} {monotonic() - began:6.1f} s")
    return done


def install(machine: Machine, package: Path) -> None:
    """Install a package, and leave to apt what it depends on."""
    machine.put(f"{PLACE}/{package.name}", package.read_bytes())
    # As apt does it: what was changed here stays as it is, without a question.
    options = ("--force-confdef", "--force-confold")
    timed(
        f"dpkg --install {package.name}",
        lambda: machine.run("dpkg", *options, "--install", f"{PLACE}/{package.name}"),
    )
    machine.run("rm", f"{PLACE}/{package.name}")


def connect(machine: Machine, desk: Desk) -> None:
    """Connect a desk as the how-to says."""
    place, token = desk.settings["desk"], next(iter(desk.secrets.values()))
    told = ("--tenant", desk.name, "--url", place["url"], "--account", place["account"])
    init = ("triaged", "init", "--non-interactive", "--platform", desk.platform, "--mode", "auto")
    timed("triaged init", lambda: machine.run(*init, *told, given=token))


def is_ready(machine: Machine) -> bool:
    """Tell whether the service takes work."""
    return machine.try_to(*READY, f"http://{LISTEN}/readyz").returncode == 0


def first_field(desk: Desk) -> None:
    ticket = desk.arrive("")
    timed("a ticket's fields, by poll", lambda: until("fields", lambda: desk.is_written(ticket)))


def live(machine: Machine, older: Path, newer: Path) -> None:
    """Go through a package's life."""
    service, desk = Unit(machine, "triaged.service"), Desk(machine, 0, "zendesk")
    install(machine, older)
    if service.told("UnitFileState") != "disabled" or service.is_up():
        raise Failed("the installation has enabled or started the service")
    desk.begin("/opt/triaged/bin/triaged")
    until("the desk answers", desk.is_up)
    desk.ask("settings", {"export_delay": 0})
    connect(machine, desk)
    # A change of the administrator's in a file of the package's.
    machine.shell(f"sed -i 's/127.0.0.1:8470/{LISTEN}/' /etc/triaged/triaged.yaml")
    timed("enabled", lambda: machine.run("systemctl", "enable", "--now", "triaged"))
    timed("ready", lambda: until("it is ready", lambda: is_ready(machine)))
    first_field(desk)
    before = service.pid
    install(machine, newer)
    until("the upgraded service is ready", lambda: is_ready(machine))
    if service.pid == before:
        raise Failed("the upgrade has not restarted the service")
    machine.run("grep", "--quiet", LISTEN, "/etc/triaged/triaged.yaml")
    first_field(desk)
    timed("dpkg --purge", lambda: machine.run("dpkg", "--purge", "triaged"))
    machine.try_to("systemctl", "stop", f"practice-{desk.name}")
    left = [path for path in LEFT if machine.try_to("test", "-e", path).returncode == 0]
    if left:
        raise Failed(f"left behind: {', '.join(left)}")
    click.echo("nothing is left")


@click.command()
@click.argument("older", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.argument("newer", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def main(older: Path, newer: Path) -> None:
    """Install OLDER, upgrade to NEWER, purge."""
    machine = Machine.named()
    if machine is None:
        raise click.UsageError(f"{PREFIX} names no machine: set it to a command that runs others")
    live(machine, older, newer)


if __name__ == "__main__":
    main()
