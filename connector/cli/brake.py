"""`triaged brake`: a tenant that was stopped for writing too much goes on."""

from pathlib import Path

import click

from connector import config, control, registry, secrets
from connector.cli import options
from connector.cli.history import tenant_of
from connector.clock import SystemClock
from connector.store import Store, place_of


@click.group("brake")
def command() -> None:
    """Let a tenant go on that was stopped by `brake.writes_per_hour`.

    `triaged status` shows which one was, and why. Its tickets wait meanwhile; nothing is lost.
    """


@command.command("release")
@options.configuration
@click.argument("tenant")
def release(path: Path, tenant: str) -> None:
    """Let TENANT go on; what it writes is counted anew. The daemon may be running."""
    settings = config.load(path, registry.platforms())
    name = tenant_of(settings, tenant).id
    where = place_of(settings.daemon, secrets.resolver())
    done = control.release_brake(where.directory, name)
    if done is None:
        with Store(where, SystemClock()) as store:
            done = control.released_by_hand(store, name)
    click.echo(f"{tenant}: released" if done else f"{tenant}: its brake was not pulled")
