"""`triaged sandbox PLATFORM`: a local desk that speaks a platform's API, to try things on."""

import click

from connector import registry
from connector.errors import ConfigError
from connector.settings import MOST_PORT


@click.command("sandbox")
@click.argument("platform")
@click.option(
    "--listen",
    default="127.0.0.1:8480",
    show_default=True,
    metavar="HOST:PORT",
    help="Where the desk listens; port 0 takes a free one.",
)
def command(platform: str, listen: str) -> None:
    """Serve a practice desk that speaks PLATFORM's API, with its state in memory.

    GET /sandbox/tenant on it gives the settings of a tenant file that reaches it.
    """
    known = registry.platforms()
    names = sorted(name for name in known if known[name].sandbox)
    if platform not in names:
        raise click.BadParameter(
            f"{platform!r} has no sandbox; there is one for: {', '.join(names)}",
            param_hint="PLATFORM",
        )
    host, _, port = listen.rpartition(":")
    if not host or not port.isdigit() or int(port) > MOST_PORT:
        raise click.BadParameter("write HOST:PORT, such as 127.0.0.1:8480", param_hint="--listen")
    serve = known[platform].sandbox
    if serve is None:
        raise ConfigError(f"{platform} has no sandbox")

    def listening(at: int) -> None:
        click.echo(f"{platform} sandbox at http://{host}:{at} - stop with Ctrl-C")

    try:
        serve(host, int(port), listening)
    except OSError as error:
        raise ConfigError(
            f"--listen: {listen} cannot be used ({error.strerror}); choose another port"
        ) from error
