"""One line per event: for people on a terminal, JSON elsewhere; personal data masked last."""

import logging
import sys
from typing import TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from connector.clean import mask


def configure(*, stream: TextIO | None = None, json: bool | None = None) -> None:
    """Send our events to `stream` (standard error by default); libraries speak from warnings on."""
    target = stream or sys.stderr
    as_json = not target.isatty() if json is None else json
    renderer: Processor = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if as_json
        else structlog.dev.ConsoleRenderer(colors=target.isatty())
    )
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            _mask,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.WriteLoggerFactory(file=target),
        cache_logger_on_first_use=False,
    )
    # It warns at every look that a slow desk makes late; the look after that catches up.
    logging.getLogger("apscheduler.scheduler").setLevel(logging.ERROR)
    logging.basicConfig(stream=target, level=logging.WARNING, format="%(name)s: %(message)s")


def _mask(_: WrappedLogger, __: str, event: EventDict) -> EventDict:
    """Mask whatever text an event carries; its name and our own keys are no text."""
    return {
        key: mask(value) if isinstance(value, str) and key in _TEXTS else value
        for key, value in event.items()
    }


_TEXTS = frozenset({"error", "detail", "warning", "reason"})
