"""The one place that wires a daemon together, starts it and lets it end."""

import os
import signal
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Event, Lock
from time import monotonic
from typing import Self

import structlog
from apscheduler.events import EVENT_JOB_ERROR, JobExecutionEvent
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from connector import registry, secrets
from connector.bundles import Bundles
from connector.clock import SystemClock
from connector.control import ControlSocket
from connector.demotion import LOOKED_FOR as JUDGED
from connector.demotion import Demotion
from connector.desk import Desk, at_levels, connect, staff_of
from connector.errors import Rejected, StateDamaged, StateUnusable, TriagedError
from connector.handover import LOOKED_FOR, Handover
from connector.logs import place
from connector.metrics import Metrics
from connector.model import Aspect, TenantId
from connector.pipeline import learn
from connector.poll import Poller
from connector.ports import Adapter, Engine, ModelKind, Surroundings
from connector.roster import Doing, Roster
from connector.settings import Configuration, DaemonSettings, Models, TenantSettings
from connector.shelf import Shelf
from connector.signature import trusting
from connector.store import Balance, Store, TenantOverview, place_of
from connector.valuecheck import LOOKED_FOR as VALUES_SEEN
from connector.valuecheck import ValueCheck
from connector.web import api
from connector.web.server import WebServer
from connector.webhook import WebhookIntake
from connector.worker import Bell, Worker

DRAIN = 30.0
"""Seconds that a stop waits for tickets in hand; our systemd unit waits 60 before it kills."""

HISTORY = timedelta(days=30)
"""How far back resolved tickets are read, once, to suggest assignees by."""

HOUSEKEEPING = timedelta(hours=1)

BACKUP = timedelta(hours=1)
FIRST_BACKUP = timedelta(minutes=1)
"""After the start: not in the way of what came meanwhile."""

SIGNALS_SEEN = 1.0
"""Seconds after which a signal is seen at the latest."""

BRAKES_SEEN = 2.0
"""Seconds between two looks at which tenants are stopped."""

COUNTED_ANEW = 2.0
"""Seconds between two counts of the inbox for metrics: each one reads all of it."""

VISITS = 16
"""Desks that are visited at the same time; each visit mostly waits for the desk."""

WORKERS = 4
"""Threads that carry tickets: they wait for desks most of the time."""

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


def _job_failed(event: JobExecutionEvent) -> None:
    """Log what nobody foresaw in a scheduled job; the job runs again at its next time."""
    error = event.exception
    _log.error("job_failed", job=event.job_id, error=type(error).__name__, at=place(error))


def _end(workers: Sequence[Worker]) -> None:
    """Let every worker finish its ticket in hand, all within the same time."""
    for worker in workers:
        worker.stop()
    deadline = monotonic() + DRAIN
    for worker in workers:
        worker.join(max(0.0, deadline - monotonic()))


class Daemon:
    """A running triaged: `with Daemon(configuration) as daemon: daemon.wait()`."""

    def __init__(self, configuration: Configuration) -> None:
        self._settings = {tenant.id: tenant for tenant in configuration.tenants}
        self._configuration = configuration
        self._stopping = Event()
        self._clock = SystemClock(self._stopping)
        self._bell = Bell()
        self._metrics = Metrics()
        self._resources = ExitStack()
        self._roster = Roster(tuple(self._settings), self._clock)
        self._started = monotonic()
        self._counting = Lock()
        self._counts_until = 0.0
        self._overview: Sequence[TenantOverview] = ()
        self._balances: Sequence[Balance] = ()

    def __enter__(self) -> Self:
        # Before anything is started: a signal that comes meanwhile must not cut the start short.
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.stop())
        with ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.stop()
        self._resources.close()

    @property
    def address(self) -> str:
        """Give the address that the daemon serves at."""
        return f"http://{self._web.host}:{self._web.port}"

    def wait(self) -> None:
        """Return once the daemon was told to stop, by `stop`, SIGTERM or SIGINT.

        Raises `StateDamaged` when the database was found so: it is mended before it is opened.
        """
        # Not without an end: a signal that comes just before the wait is handled after it.
        while not self._stopping.wait(SIGNALS_SEEN):
            if self._store.is_damaged:
                raise StateDamaged(
                    f"{self._configuration.daemon.state}: the daemon ends to be started anew"
                )

    def stop(self) -> None:
        """Ask every part to end; `__exit__` waits for them."""
        self._stopping.set()

    def _start(self, resources: ExitStack) -> None:
        secret = secrets.resolver()
        kept_in = place_of(self._configuration.daemon, secret)
        self._store = resources.enter_context(Store(kept_in, self._clock))
        bundles = bundles_of(self._configuration.daemon)
        self._handover = Handover(bundles, self._roster, self._settings)
        serving = self._handover.open()
        surroundings = Surroundings(secret=secret, clock=self._store.clock)
        self._adapters = {
            name: resources.enter_context(adapter_for(tenant, surroundings))
            for name, tenant in self._settings.items()
        }
        self._demotion = Demotion(self._store, self._roster, self._metrics)
        self._values = ValueCheck(self._store, self._roster, self._settings, self._handover.engine)
        self._poller = Poller(
            store=self._store,
            roster=self._roster,
            metrics=self._metrics,
            stopping=self._stopping,
            wake=self._bell.ring,
        )
        self._look_at_brakes()
        self._start_workers(resources)
        self._store.listen(self._bell.ring)
        control = ControlSocket(kept_in.directory, self._store, self._bell.ring)
        control.start()
        resources.callback(control.stop)
        self._start_web(resources)
        self._start_scheduler(resources)
        self._metrics.ready(is_ready=True)
        _log.info(
            "ready",
            address=self.address,
            tenants=len(self._settings),
            bundle=", ".join(serving),
            seconds=round(monotonic() - self._started, 2),
        )

    def _start_workers(self, resources: ExitStack) -> None:
        workers = [
            Worker(
                store=self._store,
                roster=self._roster,
                clock=self._store.clock,
                bell=self._bell,
                metrics=self._metrics,
            )
            for _ in range(min(WORKERS, len(self._settings)))
        ]
        for worker in workers:
            worker.start()
        resources.callback(_end, workers)

    def _start_web(self, resources: ExitStack) -> None:
        intake = WebhookIntake(
            adapters=self._adapters,
            store=self._store,
            clock=self._store.clock,
            metrics=self._metrics,
            wake=self._bell.ring,
            backlogs={
                name: tenant.intake.webhook.backlog
                for name, tenant in self._settings.items()
                if tenant.intake.webhook
            },
        )
        web = self._configuration.daemon.web
        self._web = WebServer(api.create(intake, self._counts, self._unready), web.host, web.port)
        self._web.start()
        resources.callback(self._web.stop, DRAIN)

    def _start_scheduler(self, resources: ExitStack) -> None:
        executor = ThreadPoolExecutor(max(4, min(VISITS, len(self._settings))))
        loading = ThreadPoolExecutor(1)
        self._scheduler = scheduler = BackgroundScheduler(
            # A bundle that loads for seconds takes no desk's turn.
            executors={"default": executor, "bundles": loading},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        scheduler.add_listener(_job_failed, EVENT_JOB_ERROR)
        scheduler.add_job(
            self._keep_house, "interval", seconds=HOUSEKEEPING.total_seconds(), id="housekeeping"
        )
        scheduler.add_job(
            self._back_up,
            "interval",
            seconds=BACKUP.total_seconds(),
            id="backup",
            next_run_time=datetime.now(UTC) + FIRST_BACKUP,
        )
        scheduler.add_job(
            self._handover.look, "interval", seconds=LOOKED_FOR, id="bundles", executor="bundles"
        )
        scheduler.add_job(self._look_at_brakes, "interval", seconds=BRAKES_SEEN, id="brakes")
        scheduler.add_job(self._values.look, "interval", seconds=VALUES_SEEN, id="values")
        scheduler.add_job(self._demotion.look, "interval", seconds=JUDGED, id="ladder")
        for tenant, settings in self._settings.items():
            interval = settings.intake.poll.total_seconds()
            scheduler.add_job(
                self._visit,
                "interval",
                args=[tenant],
                id=f"visit {tenant}",
                seconds=interval,
                jitter=interval * 0.1,
                next_run_time=datetime.now(UTC),
            )
        scheduler.start()
        resources.callback(executor.shutdown)
        resources.callback(loading.shutdown)
        # Not waiting here: it would, with a lock that a job needs to plan its next run.
        resources.callback(scheduler.shutdown, wait=False)

    def _visit(self, tenant: TenantId) -> None:
        """Connect a tenant's desk where that is still to do, then look what changed there."""
        if self._roster.wants_connection(tenant):
            self._connect(tenant)
        self._poller.look(tenant)

    def _connect(self, tenant: TenantId) -> None:
        """Connect a desk, or visit it again after a pause: one that is down stops nobody."""
        try:
            engine = self._handover.engine(tenant)
            known = self._store.options.known(tenant)
            desk = connect(self._settings[tenant], self._adapters[tenant], engine, known)
            desk = at_levels(desk, self._store.levels.of(tenant))
            self._values.note(desk)
            self._learn_history(desk)
        except TriagedError as error:
            pause = timedelta(seconds=self._roster.failed(tenant, Doing.VISIT, error))
            if pause:
                with suppress(JobLookupError):  # the daemon is stopping
                    again = datetime.now(UTC) + pause
                    self._scheduler.modify_job(f"visit {tenant}", next_run_time=again)
            return
        self._roster.admit(desk)
        self._roster.worked(tenant, Doing.VISIT)
        for warning in desk.identity.warnings:
            _log.warning("desk_warning", tenant=tenant, warning=warning)
        _log.info("tenant_connected", tenant=tenant, account=desk.identity.account)
        self._bell.ring()

    def _learn_history(self, desk: Desk) -> None:
        """Read resolved tickets once, so that the first suggestions have something to go by."""
        suggests = any(rule.aspect is Aspect.ASSIGNEE for rule in desk.rules)
        if not suggests or self._store.cases.has_history(desk.tenant):
            return
        if not self._store.leads(desk.tenant):  # the daemon that does learns for all
            return
        learnt = 0
        try:
            # First the place in the stream: reading history may take longer than that looks back.
            self._poller.read(desk)
            for page in desk.adapter.history(self._clock.now() - HISTORY):
                learn(desk, self._store, page.items)
                learnt += len(page.items)
                if self._stopping.is_set():
                    return
        except Rejected as error:
            _log.warning("history_refused", tenant=desk.tenant, error=error.detail)
            return
        self._store.cases.note_history(desk.tenant)
        _log.info("history_learnt", tenant=desk.tenant, tickets=learnt)

    def _look_at_brakes(self) -> None:
        """Take up what a person released, or another daemon of the store stopped."""
        self._roster.brake(self._store.brakes.pulled())
        self._bell.ring()

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
        return "stopping" if self._stopping.is_set() else ""
