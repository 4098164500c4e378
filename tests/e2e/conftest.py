"""Practice desks and daemons for the tests that run the whole line."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from io import StringIO
from subprocess import CompletedProcess

import pytest

from connector.cli import main

pytest.register_assert_rewrite("world")

from world import Desk, Running, Site, furnish  # noqa: E402 - pytest must know it first


@pytest.fixture
def resources() -> Iterator[ExitStack]:
    """What is entered here ends with the test, the latest first: daemons before their desks."""
    with ExitStack() as stack:
        yield stack


@pytest.fixture
def new_desk(resources) -> Callable[[], Desk]:
    """Give a function that opens one more practice desk."""
    return lambda: resources.enter_context(Desk())


@pytest.fixture
def desk(new_desk) -> Desk:
    return new_desk()


@pytest.fixture
def site(tmp_path, resources) -> Site:
    """Give an empty folder for configuration, secrets and state."""
    return Site(tmp_path, resources)


@pytest.fixture
def tenanted(site, desk) -> Site:
    """Give a folder whose one tenant, `acme`, is at `desk`."""
    site.tenant("acme", desk)
    return site


@pytest.fixture
def inside(capsys, monkeypatch) -> Callable[..., CompletedProcess[str]]:
    """Give a function that runs a command to its end in this process: no start-up to wait for.

    Not for `run`, which sets up the whole process's log.
    """

    def run(*arguments: str, site: Site | None = None, given: str = "") -> CompletedProcess[str]:
        monkeypatch.setattr("sys.stdin", StringIO(given))
        if site:
            monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(site.secrets))
            monkeypatch.setenv("TRIAGED_CONFIG", str(site.config))
            monkeypatch.setenv("COLUMNS", "200")
        with pytest.raises(SystemExit) as ended:
            main(arguments)
        told = capsys.readouterr()
        return CompletedProcess(arguments, int(ended.value.code or 0), told.out, told.err)

    return run


@pytest.fixture(scope="session")
def running(tmp_path_factory) -> Iterator[Running]:
    """Give a daemon that serves all tests which leave it as they found it.

    One tenant hears by webhook alone, the other by poll alone, so that no test has to guess which
    of the two was quicker.
    """
    with ExitStack() as stack:
        hooked, polled = (stack.enter_context(Desk()) for _ in range(2))
        furnish(polled)
        site = Site(tmp_path_factory.mktemp("running"), stack)
        webhook = hooked.get("tenant")["intake"]["webhook"]["secret"].replace(":", ":hooked.")
        site.tenant("hooked", hooked, intake={"poll": "1h", "webhook": {"secret": webhook}})
        site.tenant("polled", polled, intake={"poll": "400ms"})
        daemon = site.daemon().ready("hooked", "polled")
        hooked.hook_to(daemon, "hooked")
        yield Running(daemon=daemon, hooked=hooked, polled=polled)
