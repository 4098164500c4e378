"""Measured figures as one page of HTML that needs nothing else: no script, no other file."""

from collections.abc import Mapping, Sequence
from typing import Any

from connector.cli.figures import BASELINES, dial_title, most_title
from connector.cli.people import lines, spread
from connector.cli.verdict import hours, nearest, outcome, renamed, standing
from connector.errors import TrainingUnavailable

TEMPLATE = "page.html.j2"
WIDTH, HEIGHT = 420, 200
"""Pixels of a plot's inside."""
LOWEST = 0.5
"""Precision at the foot of a plot, unless something lies lower."""
MOST_CELLS = 40
"""Labels up to which the whole confusion matrix is shown."""


def page(told: Mapping[str, Any]) -> str:
    """Render the figures; raises `TrainingUnavailable` where Jinja is missing."""
    try:
        # Here and not above: serving does without.
        from jinja2 import Environment, PackageLoader  # noqa: PLC0415 - see above
    except ImportError as error:
        raise TrainingUnavailable(f"{error.name} is not installed") from error
    loader = PackageLoader("connector.cli", ".")
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["percent"] = lambda share: "" if share is None else f"{share:.1%}"
    environment.filters["figure"] = lambda value: f"{value:.3f}"
    environment.filters |= {"dial_title": dial_title, "most_title": most_title}
    environment.filters |= {"outcome": outcome, "hours": hours, "standing": standing}
    environment.filters |= {"nearest": nearest, "lines": lines, "spread": spread}
    environment.filters |= {"renamed": renamed}
    plots = {
        aspect: {"coverage": coverage(found["coverage"]), "shade": shades(found["confusion"])}
        for aspect, found in told["aspects"].items()
    }
    template = environment.get_template(TEMPLATE)
    sizes = {"width": WIDTH, "height": HEIGHT, "most_cells": MOST_CELLS, "baselines": BASELINES}
    return template.render(told=told, plots=plots, **sizes)


def coverage(points: Sequence[Mapping[str, float]]) -> Mapping[str, Any]:
    """Place the curve of precision over coverage in the plot, with marks for its left axis."""
    foot = min(LOWEST, *(point["precision"] for point in points))
    foot = int(foot * 10) / 10

    def height(precision: float) -> float:
        return round(HEIGHT * (1 - (precision - foot) / (1 - foot)), 1)

    line = [(round(WIDTH * one["coverage"], 1), height(one["precision"])) for one in points]
    marks = [foot + (1 - foot) * step / 5 for step in range(6)]
    return {
        "line": " ".join(f"{x},{y}" for x, y in line),
        "points": [{"x": x, "y": y, **point} for (x, y), point in zip(line, points, strict=True)],
        "marks": [{"y": height(mark), "text": f"{mark:.0%}"} for mark in marks],
    }


def shades(matrix: Sequence[Sequence[int]]) -> Sequence[Sequence[float]]:
    """Give each cell's share of its row, for how dark it is."""
    return [[round(count / max(1, sum(row)), 3) for count in row] for row in matrix]
