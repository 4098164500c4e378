"""What a terminal shows while a desk's past is walked: words, and how long it may still take."""

from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import (
    BarColumn,
    Progress,
    SpinnerColumn,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from connector.history import Say, Told


@contextmanager
def watched() -> Iterator[Say]:
    """Give what shows progress on a terminal, and nothing elsewhere."""
    console = Console(stderr=True)
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(bar_width=20),
        TaskProgressColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(
        *columns, console=console, transient=True, disable=not console.is_terminal
    ) as progress:
        task = progress.add_task("asking the desk", total=None)

        def say(told: Told) -> None:
            if told.share is None:
                progress.update(task, description=told.words)
            else:
                progress.update(task, description=told.words, total=1.0, completed=told.share)

        yield say
