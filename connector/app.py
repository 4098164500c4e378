"""The one place that wires a daemon together, starts it, has it reread, and lets it end."""

import os
import signal
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from typing import Self

import structlog

from connector import registry, reread, secrets
from connector.bundles import Bundles
from connector.clock import SystemClock
from connector.control import ControlSocket
from connector.demotion import LOOKED_FOR as JUDGED
from connector.demotion import Demotion
from connector.desk import staff_of
from connector.errors import StateDamaged, StateUnusable, TriagedError
from connector.handover import LOOKED_FOR, Handover
from connector.lifeline import Lifeline
from connector.metrics import Metrics
from connector.poll import Poller
from connector.ports import Adapter, Engine, ModelKind, Surroundings
from connector.pulse import BeatingClock, Prober, Pulses
from connector.roster import Doing, Roster
from connector.settings import Configuration, DaemonSettings, Models, TenantSettings
from connector.shelf import Shelf
from connector.signature import trusting
from connector.store import Balance, Store, TenantOverview, place_of
from connector.tenancy import Changes, Tenancy
from connector.timetable import Timetable
from connector.valuecheck import LOOKED_FOR as VALUES_SEEN
from connector.valuecheck import ValueCheck
from connector.visits import Visits
from connector.web import api
from connector.web.server import WebServer
from connector.webhook import WebhookIntake
from connector.worker import Bell, Worker

DRAIN = 30.0
"""Seconds that a stop waits for tickets in hand; our systemd unit waits 60 before it kills."""

HOUSEKEEPING = 3600.0

BACKUP = 3600.0
FIRST_BACKUP = 60.0
"""Seconds after the start: not in the way of what came meanwhile."""

ROUND = 1.0
"""Seconds after which a signal is seen, and a stuck loop noticed, at the latest."""

BRAKES_SEEN = 2.0
"""Seconds between two looks at which tenants are stopped."""

COUNTED_ANEW = 2.0
"""Seconds between two counts of the inbox for metrics: each one reads all of it."""

WORKERS = 4
"""Threads that carry tickets: they wait for desks most of the time."""

WEB_PATIENCE = 30.0
"""Seconds that the web server's loop may take to come round."""

STORE_PATIENCE = 90.0
"""Seconds that all others may take to be done with writing: longer than a wait for a lock that
somebody outside holds, which ends with an error."""

STORE_PROBED = 5.0
"""Seconds between two looks whether the store can be written to."""

_log = structlog.get_logger()


def load_engine(models: Models) -> Engine:
    """Load the configured bundle; raises `BadBundle`."""
    folder = str(models.bundle) if models.bundle else None
    return kind_of(models).load(folder, thread_count(models))


def kind_of(models: Models) -> ModelKind:
    """Give the installed kind of model, taking only what the administrator trusts."""
    return trusting(registry.model_kind(), models.trusted_keys)


def bundles_of(daemon: DaemonSettings) -> Bundles:
    """Give the bundles that tenants can name; none is loaded yet."""
    kind = kind_of(daemon.models)
    shelf = Shelf(daemon.shelf, kind.describe)
    threads = thread_count(daemon.models)
    return Bundles(kind, shelf, default=daemon.models.bundle, threads=threads)


def thread_count(models: Models) -> int:
    """Give the texts that are read at the same time; `auto` leaves one core to the host."""
    if models.threads == "auto":
        return max(1, len(os.sched_getaffinity(0)) - 1)
    return models.threads


def adapter_for(tenant: TenantSettings, surroundings: Surroundings) -> Adapter:
    """Make the adapter of a tenant's platform; nothing is sent to the desk yet."""
    platform = registry.platforms()[tenant.desk.platform]
    return platform.connect(tenant.desk, surroundings)


def _end(workers: Sequence[Worker]) -> None:
    """Let every worker finish its ticket in hand, all within the same time."""
    for worker in workers:
        worker.stop()
    deadline = monotonic() + DRAIN
    for worker in workers:
        worker.join(max(0.0, deadline - monotonic()))


class Daemon:
    """A running triaged: `with Daemon(configuration) as daemon: daemon.wait()`.

    With `read` it takes SIGHUP as the word to read its configuration again.
    """

    def __init__(
        self, configuration: Configuration, read: Callable[[], Configuration] | None = None
    ) -> None:
        self._configuration = configuration
        self._read = read
        self._stopping = Event()
        self._hung_up = Event()
        self._bell = Bell()
        self._metrics = Metrics()
        self._pulses = Pulses()
        self._lifeline = Lifeline(os.environ, self._pulses)
        self._resources = ExitStack()
        self._workers: list[Worker] = []
        self._started = monotonic()
        self._counting = Lock()
        self._counts_until = 0.0
        self._overview: Sequence[TenantOverview] = ()
        self._balances: Sequence[Balance] = ()

    def __enter__(self) -> Self:
        # Before anything is started: a signal that comes meanwhile must not cut the start short.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        if self._read is not None:
            signal.signal(signal.SIGHUP, lambda *_: self._hung_up.set())
        with ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        self._lifeline.ready(self._status())
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._lifeline.stopping()
        self._resources.close()

    @property
    def address(self) -> str:
        """Give the address that the daemon serves at."""
        return f"http://{self._web.host}:{self._web.port}"

    def wait(self) -> None:
        """Return once the daemon was told to stop, by `stop`, SIGTERM or SIGINT.

        Until then it rereads its configuration at SIGHUP, and looks after its loops. Raises
        `StateDamaged` when the database was found so: it is mended before it is opened.
        """
        # Not without an end: a signal that comes just before the wait is handled after it.
        while not self._stopping.wait(ROUND):
            if self._store.is_damaged:
                raise StateDamaged(
                    f"{self._configuration.daemon.state}: the daemon ends to be started anew"
                )
            self._web.call(self._web_pulse.beat)
            self._lifeline.look()
            if self._read is not None and self._hung_up.is_set():
                self._hung_up.clear()
                self._reload(self._read)

    def stop(self) -> None:
        """Ask every part to end; `__exit__` waits for them."""
        self._stopping.set()

    def _reload(self, read: Callable[[], Configuration]) -> None:
        """Read the configuration again and go by it; one that cannot be used changes nothing."""
        self._lifeline.reloading()
        status = "the configuration was refused, the one before it stays"
        try:
            self._take_over(read())
            status = self._status()
        except TriagedError as error:
            for problem in str(error).splitlines():
                _log.error("reload_refused", error=problem)
        self._lifeline.ready(status)

    def _take_over(self, fresh: Configuration) -> None:
        before = self._configuration.daemon
        daemon = reread.amended(before, fresh.daemon)
        changes = self._serve(Configuration(daemon=daemon, tenants=fresh.tenants))
        self._watch_brakes()
        self._visit(changes)
        if left := reread.left(before, fresh.daemon):
            _log.warning("restart_needed", settings=left)
        _log.info(
            "reloaded",
            added=changes.added,
            changed=changes.changed,
            removed=changes.removed,
            again=changes.again,
        )

    def _start(self, resources: ExitStack) -> None:
        daemon = self._configuration.daemon
        secret = secrets.resolver()
        kept_in = place_of(daemon, secret)
        self._store = resources.enter_context(Store(kept_in, SystemClock(self._stopping)))
        self._clock = BeatingClock(self._store.clock, self._pulses)
        self._roster = Roster((), self._clock)
        self._handover = Handover(bundles_of(daemon), self._roster)
        surroundings = Surroundings(secret=secret, clock=self._clock)
        self._tenancy = Tenancy(self._roster, adapter_for, surroundings)
        resources.callback(self._tenancy.close)
        self._intake = WebhookIntake(
            store=self._store, clock=self._clock, metrics=self._metrics, wake=self._bell.ring
        )
        changes = self._serve(self._configuration)
        self._values = ValueCheck(
            self._store, self._roster, self._handover.settings, self._handover.engine
        )
        self._timetable = Timetable(self._pulses)
        self._visits = self._make_visits()
        resources.callback(_end, self._workers)
        self._store.listen(self._bell.ring)
        self._start_control(resources, kept_in.directory)
        self._start_web(resources)
        self._start_prober(resources)
        self._start_timetable(resources)
        self._look_at_brakes()
        self._visit(changes)
        self._metrics.ready(is_ready=True)
        _log.info(
            "ready",
            address=self.address,
            tenants=len(self._configuration.tenants),
            bundle=", ".join(self._handover.serving),
            seconds=round(monotonic() - self._started, 2),
        )

    def _make_visits(self) -> Visits:
        poller = Poller(
            store=self._store,
            roster=self._roster,
            metrics=self._metrics,
            stopping=self._stopping,
            wake=self._bell.ring,
        )
        return Visits(
            tenancy=self._tenancy,
            handover=self._handover,
            values=self._values,
            poller=poller,
            roster=self._roster,
            store=self._store,
            clock=self._clock,
            stopping=self._stopping,
            wake=self._bell.ring,
            pulses=self._pulses,
            again=self._timetable.again,
        )

    def _start_workers(self) -> None:
        """Have as many workers as there are tenants for, or more from an earlier configuration."""
        for number in range(len(self._workers), min(WORKERS, len(self._configuration.tenants))):
            worker = Worker(
                store=self._store,
                roster=self._roster,
                clock=self._clock,
                bell=self._bell,
                metrics=self._metrics,
                pulses=self._pulses,
                name=f"worker {number + 1}",
            )
            worker.start()
            self._workers.append(worker)

    def _start_control(self, resources: ExitStack, directory: Path) -> None:
        control = ControlSocket(directory, self._store, self._bell.ring)
        control.start()
        resources.callback(control.stop)

    def _start_web(self, resources: ExitStack) -> None:
        web = self._configuration.daemon.web
        application = api.create(self._intake, self._counts, self._unready)
        self._web = WebServer(application, web.host, web.port)
        self._web.start()
        self._web_pulse = self._pulses.add("web", WEB_PATIENCE)
        resources.callback(self._web.stop, DRAIN)

    def _start_prober(self, resources: ExitStack) -> None:
        prober = Prober(self._reach_store, self._pulses, name="store", every=STORE_PROBED)
        prober.start(STORE_PATIENCE)
        resources.callback(prober.stop, STORE_PROBED)

    def _reach_store(self) -> None:
        with suppress(StateUnusable):  # whoever wants to write something tells of it
            self._store.reach()

    def _start_timetable(self, resources: ExitStack) -> None:
        timetable = self._timetable
        timetable.every(HOUSEKEEPING, "housekeeping", self._keep_house)
        timetable.every(BACKUP, "backup", self._back_up, first=FIRST_BACKUP)
        timetable.every(LOOKED_FOR, "bundles", self._handover.look, executor="bundles")
        timetable.every(BRAKES_SEEN, "brakes", self._watch_brakes)
        timetable.every(VALUES_SEEN, "values", self._values.look)
        timetable.every(JUDGED, "ladder", Demotion(self._store, self._roster, self._metrics).look)
        timetable.start()
        resources.callback(timetable.stop)

    def _serve(self, configuration: Configuration) -> Changes:
        """Serve the tenants of a configuration; raises before anything is changed."""
        self._handover.open(configuration.tenants)
        changes = self._tenancy.serve(configuration.tenants)
        self._configuration = configuration
        self._handover.serve(configuration.tenants)
        self._intake.serve(
            self._tenancy.adapters,
            {
                tenant.id: tenant.intake.webhook.backlog
                for tenant in configuration.tenants
                if tenant.intake.webhook
            },
        )
        return changes

    def _visit(self, changes: Changes) -> None:
        self._start_workers()
        self._timetable.leave(changes.removed)
        fresh = changes.fresh
        tenants = [one for one in self._configuration.tenants if one.id in fresh]
        self._timetable.visit(tenants, self._visits.visit)

    def _look_at_brakes(self) -> None:
        """Take up what a person released, or another daemon of the store stopped."""
        self._roster.brake(self._store.brakes.pulled())
        self._bell.ring()

    def _watch_brakes(self) -> None:
        """Look at them again and again; whoever works with the store says when it fails."""
        with suppress(StateUnusable):
            self._look_at_brakes()

    def _keep_house(self) -> None:
        self._store.expire(self._configuration.daemon.retention, self._stopping.is_set)
        for tenant in self._roster.connected():
            desk = self._roster.desk(tenant)
            if desk is None or self._stopping.is_set():
                continue
            try:
                staff = staff_of(desk.adapter)
                self._roster.amend(tenant, partial(replace, staff=staff))
            except TriagedError as error:
                self._roster.failed(tenant, Doing.VISIT, error)

    def _back_up(self) -> None:
        try:
            self._store.back_up()
        except StateUnusable as error:
            _log.error("backup_failed", error=error.detail)

    def _counts(self) -> bytes:
        """Count the inbox anew at most every few seconds, however many ask."""
        with self._counting:
            now = self._clock.monotonic()
            if now >= self._counts_until:
                self._overview = self._store.overview()
                self._balances = self._store.audit()
                self._counts_until = now + COUNTED_ANEW
            return self._metrics.text(
                self._overview, self._balances, self._roster.stopped(), self._roster.desks()
            )

    def _unready(self) -> str:
        stuck = ", ".join(sorted(self._pulses.stuck()))
        return "stopping" if self._stopping.is_set() else stuck and f"stuck: {stuck}"

    def _status(self) -> str:
        return f"serving {len(self._configuration.tenants)} tenants at {self.address}"
