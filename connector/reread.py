"""What a running daemon takes over of its own settings when they are read again, and what not."""

from collections.abc import Iterator, Sequence

from pydantic import BaseModel

from connector.settings import DaemonSettings

TAKEN_OVER = {"tenants", "retention"}
"""Settings of triaged.yaml that are gone by after a reload; the others at the next start."""


def amended(before: DaemonSettings, fresh: DaemonSettings) -> DaemonSettings:
    """Give the settings that a daemon which began with the first goes by from now on."""
    return before.model_copy(update={name: getattr(fresh, name) for name in TAKEN_OVER})


def left(before: DaemonSettings, fresh: DaemonSettings) -> Sequence[str]:
    """List what differs and only a start takes over."""
    return tuple(_differing(before, fresh))


def _differing(before: BaseModel, after: BaseModel, path: str = "") -> Iterator[str]:
    for name in type(before).model_fields:
        old, new = getattr(before, name), getattr(after, name)
        if path + name in TAKEN_OVER:
            continue
        if isinstance(old, BaseModel):
            yield from _differing(old, new, f"{path}{name}.")
        elif old != new:
            yield f"{path}{name}"
