"""A moment on the command line: a day, a day with a time, or how long ago."""

from datetime import UTC, datetime
from typing import Any

import click
from pydantic import TypeAdapter, ValidationError

from connector.settings import Duration


class Moment(click.ParamType[float]):
    """A time: a day, a day with a time (UTC unless it says), or how long ago."""

    name = "time"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> float:
        """Give Unix seconds, or say how a time is written."""
        if isinstance(value, float):
            return value
        try:
            ago = TypeAdapter(Duration).validate_python(value)
            return (datetime.now(UTC) - ago).timestamp()
        except ValidationError:
            pass
        try:
            moment = datetime.fromisoformat(str(value))
        except ValueError:
            self.fail(
                f"{value!r} is no time; write 2026-05-04, 2026-05-04T10:30 (UTC), or how long"
                " ago, such as 90m, 12h or 2d",
                param,
                ctx,
            )
        moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment
        return moment.timestamp()
