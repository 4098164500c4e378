"""A report as one page of HTML that needs nothing else: no script, no other file, no library."""

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from connector import report
from connector.cli.ladder import advice
from connector.cli.report import (
    Told,
    apart,
    figure,
    intake_line,
    of_all,
    period,
    rate,
    stages,
    verdict_on_arms,
)

STYLE = """
:root { color-scheme: light dark; --ink: #1d2330; --soft: #5b6577; --line: #d9dee7; --paper: #fff;
  --kept: #15803d; --open: #2457c5; --bad: #b42318; --unset: #98a2b3; }
@media (prefers-color-scheme: dark) { :root { --ink: #e7eaf0; --soft: #9aa4b5; --line: #333b48;
  --paper: #14181f; --kept: #5fc98a; --open: #7ea6ff; --bad: #ff8a7a; --unset: #667085; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 64rem; margin: 2rem auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; margin-bottom: .2rem; }
h2 { font-size: 1.1rem; margin: 2.2rem 0 .4rem; border-bottom: 2px solid var(--line); }
.soft, .loss { color: var(--soft); } .loss td:first-child { padding-left: 1.4rem; }
table { border-collapse: collapse; margin: .6rem 0; }
th, td { text-align: left; padding: .2rem 1rem .2rem 0; border-bottom: 1px solid var(--line);
  vertical-align: top; }
.funnel { min-width: 34rem; } .n { text-align: right; font-variant-numeric: tabular-nums; }
.bar { display: flex; height: 1.2rem; border-radius: .3rem; overflow: hidden; max-width: 40rem;
  margin: .5rem 0 .2rem; background: var(--line); }
.bar i { display: block; } .key { margin-right: 1.2rem; white-space: nowrap; }
.key i { display: inline-block; width: .8rem; height: .8rem; border-radius: .2rem; }
.kept { background: var(--kept); } .corrected { background: var(--bad); }
.open { background: var(--open); } .unset { background: var(--unset); }
.none { background: var(--line); } .scroll { overflow-x: auto; }
"""


def page(found: Sequence[Told]) -> str:
    """Render what is told of each tenant."""
    body = "\n".join(line for told in found for line in _tenant(told))
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>triaged: report</title>\n<style>{STYLE}</style>\n</head>\n<body>\n"
        f"{body}\n</body>\n</html>\n"
    )


def _tenant(told: Told) -> Iterator[str]:
    yield f"<h1>{escape(told.tenant)}</h1>"
    yield f'<p class="soft">{period(told)}</p><p>{escape(intake_line(told))}</p>'
    if not told.funnels:
        yield "<p>Nothing was decided in this time.</p>"
        return
    for funnel in told.funnels:
        yield f"<h2>{funnel.aspect}</h2>"
        yield from _bar(funnel)
        yield from _stages(funnel)
    yield "<h2>Right, class by class, since each came to its level</h2>"
    yield from _classes(told)
    yield "<h2>Triaged beside held out</h2>"
    yield from _arms(told)


def _parts(funnel: report.Funnel) -> Iterator[tuple[str, str, int]]:
    """Yield the parts that all eligible tickets fall into: how drawn, how called, how many."""
    yield "kept", "kept", funnel.kept
    yield "corrected", "corrected", funnel.corrected
    yield "open", "set, not judged yet", funnel.unjudged
    yield "unset", "predicted, not set or taken back", sum(funnel.not_set.values()) + funnel.undone
    yield "none", "not predicted", sum(funnel.unanswered.values())


def _bar(funnel: report.Funnel) -> Iterator[str]:
    parts = [(kind, name, count) for kind, name, count in _parts(funnel) if count]
    drawn = "".join(
        f'<i class="{kind}" style="width:{100 * count / funnel.eligible:.2f}%"'
        f' title="{name}: {count}"></i>'
        for kind, name, count in parts
    )
    keys = "".join(
        f'<span class="key"><i class="{kind}"></i> {name} {count}</span>'
        for kind, name, count in parts
    )
    yield f'<div class="bar">{drawn}</div><p class="soft">{keys}</p>'


def _stages(funnel: report.Funnel) -> Iterator[str]:
    yield '<table class="funnel">'
    for name, count, is_loss in stages(funnel):
        if is_loss and not count:
            continue
        kind, told = (' class="loss"', f"− {name}") if is_loss else ("", f"<b>{name}</b>")
        yield (
            f'<tr{kind}><td>{told}</td><td class="n">{count}</td>'
            f'<td class="n">{of_all(count, funnel)}</td></tr>'
        )
    yield "</table>"


def _classes(told: Told) -> Iterator[str]:
    if not told.classes:
        yield "<p>No class has been judged by a <code>precision</code> yet.</p>"
        return
    yield '<div class="scroll"><table>'
    yield _row("th", ("aspect", "class", "now", "right", "95 %", "judged", "asked", ""))
    for one in told.classes:
        cells = (one.aspect, one.label or "(all)", one.mode, *rate(one))
        yield _row("td", (*cells, str(one.judged), f"{one.asked:g}", advice(one)))
    yield "</table></div>"


def _arms(told: Told) -> Iterator[str]:
    if missing := verdict_on_arms(told):
        yield f"<p>{escape(missing)}</p>"
        return
    yield f"<p>{told.arms.triaged} tickets were triaged, {told.arms.held_out} held out.</p>"
    yield '<div class="scroll"><table>'
    yield _row("th", ("", "triaged", "95 %", "held out", "95 %", "difference, 95 %"))
    for row in told.arms.rows:
        figures = (*figure(row.triaged, row.unit), *figure(row.held_out, row.unit))
        yield _row("td", (row.name, *figures, apart(row)))
    yield "</table></div>"


def _row(tag: str, cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<{tag}>{escape(cell)}</{tag}>" for cell in cells) + "</tr>"
