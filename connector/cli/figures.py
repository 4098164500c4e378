"""Measured figures on a terminal: tables, and plots of a line or two."""

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

CLASSES = 15
"""Classes shown; the weakest are the ones to look at."""
BAR = 20
"""Columns of a bar."""
SHORTEST = 0.5
"""Precision at the foot of the curve: below it nothing is worth telling apart."""
BASELINES = {
    "linear": "linear, learnt on this file",
    "alone": "linear alone, from the same tickets",
    "majority": "always the commonest label",
}
_BLOCKS = "▁▂▃▄▅▆▇█"


def show(told: Mapping[str, Any], console: Console) -> None:
    """Print the figures of every aspect."""
    tickets = told.get("tested", told["rows"])
    title = f"{told['bundle']} on {tickets} tickets of {told['file']}, {told['seconds']} s"
    console.print(f"[bold]{escape(title)}[/bold]")
    for aspect, found in told["aspects"].items():
        _show_aspect(aspect, found, console)


def _show_aspect(aspect: str, found: Mapping[str, Any], console: Console) -> None:
    console.print()
    console.rule(f"[bold]{aspect}[/bold], {found['n']} tickets", align="left")
    console.print(_headline(found))
    if "ordinal" in found:
        console.print(_ordered(found["ordinal"]))
    if found["outside"]["n"]:
        outside = found["outside"]
        console.print(
            f"{outside['n']} more have a label that the bundle does not know;"
            f" {outside['answered']:.0%} of them were answered, wrongly"
        )
    console.print(_dial(found["dial"], dial_title(found)))
    console.print(f"precision of the surest 5 to 100 %   {curve(found['coverage'])}")
    console.print(_reliability(found["calibration"]))
    console.print(_classes(found))
    if found["confused"]:
        console.print(_confused(found["confused"]))
    if len(found["languages"]) > 1:
        console.print(_languages(found["languages"]))


def _headline(found: Mapping[str, Any]) -> Table:
    table = Table(box=None, pad_edge=False)
    for heading in ("", "macro-F1", "95 %", "accuracy", "95 %"):
        table.add_column(heading)
    table.add_row(
        "this bundle", *_with_interval(found["macro_f1"]), *_with_interval(found["accuracy"])
    )
    for name, scores in found["baselines"].items():
        table.add_row(
            BASELINES[name],
            f"{scores['macro_f1']:.3f}",
            "",
            f"{scores['accuracy']:.3f}",
            "",
            style="dim",
        )
    answered = found["answered"]
    right = "" if answered["precision"] is None else f", {answered['precision']:.1%} of it right"
    table.caption = (
        f"answered {answered['coverage']:.1%}{right}; right among the first three"
        f" {found['top_3']:.1%}"
    )
    table.caption_justify = "left"
    return table


def _with_interval(figure: Mapping[str, Any]) -> tuple[str, str]:
    low, high = figure["interval"]
    return f"{figure['value']:.3f}", f"{low:.3f}–{high:.3f}"


def _ordered(ordinal: Mapping[str, Any]) -> str:
    recall = ", ".join(
        f"{label} {share:.0%}" for label, share in ordinal["recall_of_the_highest"].items()
    )
    return (
        f"in order ({' < '.join(ordinal['order'])}): kappa {ordinal['kappa']:.2f}; found: {recall}"
    )


def dial_title(found: Mapping[str, Any]) -> str:
    """Say what `precision` in a tenant's file would mean."""
    if found["has_promises"]:
        return "What `precision` would write, by what the bundle promises"
    return "What `precision` would write, by confidence alone: the bundle holds no promises"


def _dial(levels: Sequence[Mapping[str, Any]], title: str) -> Table:
    table = Table(title=title, title_justify="left")
    for heading in ("precision", "written", "right", "95 %", "labels", "of 50 and more, kept"):
        table.add_column(heading)
    for one in levels:
        right, interval = "", ""
        if one["precision"] is not None:
            right = f"{one['precision']:.1%}"
            interval = "–".join(f"{bound:.1%}" for bound in one["interval"])
        kept = f"{one['kept']} of {one['judged']}" if one["judged"] else ""
        table.add_row(
            f"{one['asked']:.2f}",
            f"{one['coverage']:.1%}",
            right,
            interval,
            str(len(one["labels"])),
            kept,
        )
    return table


def curve(points: Sequence[Mapping[str, float]]) -> str:
    """Draw precision over coverage in a line of blocks, and say where it begins and ends."""
    blocks = "".join(
        _BLOCKS[max(0, min(7, int((one["precision"] - SHORTEST) / (1 - SHORTEST) * 8)))]
        for one in points
    )
    return f"{points[0]['precision']:.1%} {blocks} {points[-1]['precision']:.1%}"


def _reliability(calibration: Mapping[str, Any]) -> Table:
    low, high = calibration["interval"]
    table = Table(
        title=f"Calibration: error {calibration['ece']:.3f} ({low:.3f}–{high:.3f})",
        title_justify="left",
        box=None,
        pad_edge=False,
    )
    for heading in ("confidence", "n", "right"):
        table.add_column(heading)
    for row in calibration["reliability"]:
        bar = "█" * round(row["right"] * BAR)
        table.add_row(f"{row['confidence']:.2f}", str(row["n"]), f"{row['right']:.2f} {bar}")
    return table


def most_title(found: Mapping[str, Any]) -> str:
    """Name the most that the dial could be set to and still write a label."""
    return "most promised" if found["has_promises"] else "most confident"


def _classes(found: Mapping[str, Any]) -> Table:
    per_class = found["per_class"]
    weakest = sorted(per_class.items(), key=lambda one: one[1]["f1"])
    left = max(0, len(weakest) - CLASSES)
    title = f"The weakest {CLASSES} labels, of {len(weakest)}" if left else "Labels"
    table = Table(title=title, title_justify="left")
    for heading in ("label", "n", "precision", "recall", "F1", most_title(found)):
        table.add_column(heading)
    for label, one in weakest[:CLASSES]:
        figures = (f"{one[name]:.2f}" for name in ("precision", "recall", "f1", "most"))
        table.add_row(escape(label), str(one["n"]), *figures)
    return table


def _confused(pairs: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(title="Most confused", title_justify="left", box=None, pad_edge=False)
    for heading in ("n", "right", "given"):
        table.add_column(heading)
    for one in pairs[:5]:
        table.add_row(str(one["n"]), escape(one["right"]), escape(one["given"]))
    return table


def _languages(found: Mapping[str, Mapping[str, Any]]) -> Table:
    table = Table(title="By language", title_justify="left", box=None, pad_edge=False)
    for heading in ("language", "n", "macro-F1", "answered"):
        table.add_column(heading)
    for name, one in sorted(found.items(), key=lambda pair: -pair[1]["n"]):
        table.add_row(name, str(one["n"]), f"{one['macro_f1']:.3f}", f"{one['answered']:.0%}")
    return table
