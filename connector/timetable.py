"""What the daemon does at set times, and its visits to desks."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta

import structlog
from apscheduler.events import (
    EVENT_JOB_ERROR,
    EVENT_JOB_MAX_INSTANCES,
    EVENT_JOB_SUBMITTED,
    JobEvent,
    JobExecutionEvent,
)
from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.jobstores.base import JobLookupError
from apscheduler.schedulers.background import BackgroundScheduler

from connector.logs import place
from connector.model import TenantId
from connector.pulse import Pulses, name_thread
from connector.settings import TenantSettings

VISITS = 16
"""Desks that are visited at the same time; each visit mostly waits for the desk."""

PATIENCE = 60.0
"""Seconds without anything begun: the look for promoted bundles is due every two."""

_log = structlog.get_logger()


class Timetable:
    """A scheduler in a thread of its own; nothing of it outlives the process."""

    def __init__(self, pulses: Pulses) -> None:
        self._is_named = False
        self._pulse = pulses.add("timetable", PATIENCE)
        self._executor = ThreadPoolExecutor(VISITS)
        self._loading = ThreadPoolExecutor(1)
        self._scheduler = BackgroundScheduler(
            # A bundle that loads for seconds takes no desk's turn.
            executors={"default": self._executor, "bundles": self._loading},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            timezone=UTC,
        )
        self._scheduler.add_listener(_job_failed, EVENT_JOB_ERROR)
        self._scheduler.add_listener(self._went_on, EVENT_JOB_SUBMITTED | EVENT_JOB_MAX_INSTANCES)

    def every(
        self,
        seconds: float,
        name: str,
        act: Callable[[], None],
        *,
        first: float | None = None,
        executor: str = "default",
    ) -> None:
        """Do something over and over, for the first time after `first` seconds if given."""
        self._scheduler.add_job(
            act,
            "interval",
            seconds=seconds,
            id=name,
            executor=executor,
            next_run_time=_in(seconds if first is None else first),
        )

    def visit(self, tenants: Sequence[TenantSettings], visit: Callable[[TenantId], None]) -> None:
        """Visit these desks now, and then as often as their settings say."""
        for tenant in tenants:
            interval = tenant.intake.poll.total_seconds()
            self._scheduler.add_job(
                visit,
                "interval",
                args=[tenant.id],
                id=_name(tenant.id),
                seconds=interval,
                jitter=interval * 0.1,
                next_run_time=_in(0),
                replace_existing=True,
            )

    def leave(self, tenants: Sequence[TenantId]) -> None:
        """Visit these desks no more."""
        for tenant in tenants:
            with suppress(JobLookupError):
                self._scheduler.remove_job(_name(tenant))

    def again(self, tenant: TenantId, pause: float) -> None:
        """Have the next visit to a desk after so many seconds, and not at its usual time."""
        with suppress(JobLookupError):  # it is served no more, or the daemon is stopping
            self._scheduler.modify_job(_name(tenant), next_run_time=_in(pause))

    def start(self) -> None:
        """Begin."""
        self._scheduler.start()

    def stop(self) -> None:
        """Begin nothing more, and wait for what is under way."""
        # Not waiting here: it would, with a lock that a job needs to plan its next run.
        self._scheduler.shutdown(wait=False)
        self._loading.shutdown()
        self._executor.shutdown()

    def _went_on(self, _: JobEvent) -> None:
        if not self._is_named:
            name_thread("timetable")
            self._is_named = True
        self._pulse.beat()


def _job_failed(event: JobExecutionEvent) -> None:
    """Log what nobody foresaw in a scheduled job; the job runs again at its next time."""
    error = event.exception
    _log.error("job_failed", job=event.job_id, error=type(error).__name__, at=place(error))


def _name(tenant: TenantId) -> str:
    return f"visit {tenant}"


def _in(seconds: float) -> datetime:
    return datetime.now(UTC) + timedelta(seconds=seconds)
