"""One line per event, text on a terminal, JSON elsewhere; personal data and secrets masked last."""

import io
import logging
import os
import sys
from contextlib import suppress
from typing import TextIO, cast

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from connector.clean import mask
from connector.redaction import redact

JOURNAL_STREAM = "JOURNAL_STREAM"
"""Set by systemd: device and inode of the stream that is the journal (systemd.exec(5))."""

_PRIORITIES = {"critical": 2, "error": 3, "warning": 4, "info": 6, "debug": 7}
"""Levels of syslog, by which `journalctl --priority` chooses."""

_TEXTS = frozenset({"error", "detail", "warning", "reason"})
"""Keys of our events that hold sentences; the others hold names and figures."""


def configure(*, stream: TextIO | None = None, json: bool | None = None) -> None:
    """Send events to `stream` (standard error by default); libraries speak from warnings on."""
    target = cast(TextIO, _Patient(stream or sys.stderr))
    as_json = not target.isatty() if json is None else json
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=target.isatty())
    )
    if _is_journal(stream or sys.stderr, os.environ.get(JOURNAL_STREAM, "")):
        renderer = _Prioritised(renderer)
    stamps: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*stamps, _mask, renderer, _redact],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    _configure_libraries(target, stamps, renderer)


class _Prioritised:
    """Puts the level before a line in the form that the journal takes for it and takes off again.

    See sd-daemon(3); it needs no library.
    """

    def __init__(self, renderer: Processor) -> None:
        self._renderer = renderer

    def __call__(self, logger: WrappedLogger, name: str, event: EventDict) -> str:
        priority = _PRIORITIES.get(str(event.get("level")), _PRIORITIES["info"])
        return f"<{priority}>{self._renderer(logger, name, event)!s}"


def _is_journal(stream: TextIO, told: str) -> bool:
    """Tell whether a stream is the one that systemd said to be the journal."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):  # it is closed, or no file at all
        return False
    return told == f"{found.st_dev}:{found.st_ino}"


class _Patient(io.TextIOBase):
    """A stream whose reader may be gone or its disk full: the words are lost, no work is."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        with suppress(OSError, ValueError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()

    def isatty(self) -> bool:
        return self._stream.isatty()


def _configure_libraries(target: TextIO, stamps: list[Processor], renderer: Processor) -> None:
    """Give what libraries log the same form, its words masked and its tracebacks left out."""
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *stamps, _mask_all],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                renderer,
                _redact,
            ],
        )
    )
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    # They tell of every late look, and give tracebacks of jobs; `job_failed` says it better.
    for name in ("apscheduler.scheduler", "apscheduler.executors.default"):
        logging.getLogger(name).setLevel(logging.CRITICAL)


def place(error: BaseException | None) -> str:
    """Give file and line of an error, without its message: that might hold a ticket's words."""
    trace = error.__traceback__ if error else None
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return "unknown"
    return f"{trace.tb_frame.f_code.co_filename.rpartition('/')[2]}:{trace.tb_lineno}"


def _mask(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask whatever sentence an event of ours carries."""
    return {
        key: mask(value) if isinstance(value, str) and key in _TEXTS else value
        for key, value in event.items()
    }


def _mask_all(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask a library's message; its traceback is dropped, whose last line may hold anything."""
    event.pop("exc_info", None)
    return {**event, "event": mask(str(event["event"]))}


def _redact(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """Hide every known secret in the line as it will be written; whatever key it came under."""
    return cast(EventDict, redact(cast(str, line)))
