"""Writes the reference pages and JSON schemas from the code, or checks that they are up to date."""

import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import click
from command_options import COMMANDS, children, options, our_commands
from configuration_keys import CONFIGURATION, schema_of, sections, tenant_schema
from manuals import manual
from ruamel.yaml import YAML

from connector import errors
from connector.cli.main import main as entry
from connector.cli.main import triaged
from connector.settings import DaemonSettings

ROOT = ROOT_OF_CODE = Path(__file__).resolve().parent.parent
WIDTH = 100
NOTE = "<!-- Written by docs/generate.py from the code; `make docs` writes it anew. -->"

FEATURES = ("platform", "hears of tickets by", "writes by", "rules kept")
PLATFORMS_BEGIN, PLATFORMS_END = "<!-- platforms -->", "<!-- /platforms -->"

ERRORS = """\
Errors are named after what happens next. Each text below is the message that you see in the log
or on the terminal, after the detail that belongs to the case. The exit code is that of a command
that ends with the error. The daemon ends only with those that arise before it is ready; after
that, an error pauses a tenant or sets a ticket aside, as its text says."""


def configuration_page() -> str:
    """Render every key of both files."""
    parts = ["# Configuration", NOTE, CONFIGURATION]
    for title, said, rows in sections(schema_of(DaemonSettings), tenant_schema()):
        parts += [f"## {title}", _wrapped(said), _table(rows)]
    return _page(parts)


def commands_page() -> str:
    """Render every command that comes with triaged."""
    summary = (inspect.getdoc(entry) or "").partition("\n")[0]
    if "0 done, 1 failed, 2 usage, 78 configuration" not in summary:
        raise SystemExit(
            "connector/cli/main.py: exit codes differ from those in docs/command_options.py"
        )
    context = click.Context(triaged, info_name="triaged")
    parts = ["# Commands", NOTE, _wrapped(triaged.help or ""), COMMANDS]
    parts += [_table(options(triaged, context), ("option", "default", "meaning"))]
    for name, command in our_commands(context):
        parts += _command(command, context, name)
    return _page(parts)


def _command(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## {context.command_path}"
    yield f"```\n{context.command_path} {usage}\n```"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield _wrapped(paragraph)
    yield _table(options(command, context), ("option", "default", "meaning"))
    for child, found in children(command, context):
        yield from _command(found, context, child)


def errors_page() -> str:
    """Render every error's text."""
    kinds = [
        kind
        for _, kind in inspect.getmembers(errors, inspect.isclass)
        if issubclass(kind, errors.TriagedError) and kind is not errors.TriagedError
    ]
    kinds.sort(key=lambda kind: inspect.getsourcelines(kind)[1])
    parts = ["# Errors", NOTE, ERRORS]
    for kind in kinds:
        _, *more = inspect.cleandoc(kind.__doc__ or "").split("\n\n")
        parts += [f"## {kind.__name__}", _wrapped(kind.remedy()), *map(_wrapped, more)]
        parts.append(f"Exit code: {kind.exit_code}.")
    return _page(parts)


def front_page(text: str) -> str:
    """Put the table of platforms, as their quality files have it, between its marks."""
    before, mark, rest = text.partition(PLATFORMS_BEGIN)
    _, end, after = rest.partition(PLATFORMS_END)
    if not mark or not end:
        raise SystemExit(f"README.md: {PLATFORMS_BEGIN} … {PLATFORMS_END} is missing")
    table = _table(map(_platform, sorted(ROOT_OF_CODE.glob("adapters/*/quality.yaml"))), FEATURES)
    return f"{before}{mark}\n{NOTE}\n\n{table}\n\n{end}{after}"


def _platform(path: Path) -> Sequence[str]:
    """Give a platform's row: what it is, does, and which rules it does not keep."""
    quality = YAML(typ="safe").load(path)
    about = quality.pop("about")
    rules = {rule: state for rules in quality.values() for rule, state in rules.items()}
    exempt = [rule.replace("-", " ") for rule, state in rules.items() if state != "done"]
    kept = f"{len(rules) - len(exempt)} of {len(rules)}"
    kept += f"; not: {', '.join(exempt)}" if exempt else ""
    name = path.parent.relative_to(ROOT_OF_CODE)
    return f"[{about['title']}]({name}/README.md)", about["hears"], about["writes"], kept


def _table(
    rows: Iterator[Sequence[str]], heading: Sequence[str] = ("key", "type", "default", "meaning")
) -> str:
    lines = [heading, ["---"] * len(heading), *rows]
    cells = ([" ".join(cell.split()).replace("|", r"\|") for cell in line] for line in lines)
    return "\n".join(f"| {' | '.join(line)} |" for line in cells)


def _wrapped(text: str) -> str:
    plain = " ".join(text.split())
    return textwrap.fill(plain, WIDTH, break_long_words=False, break_on_hyphens=False)


def _page(parts: Sequence[str]) -> str:
    return "\n\n".join(part for part in parts if part) + "\n"


def _json(schema: Mapping[str, Any]) -> str:
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def pages() -> Mapping[str, str]:
    """Give every generated file's content by its path from the repository's root."""
    readme = (ROOT_OF_CODE / "README.md").read_text(encoding="utf-8")
    return {
        "README.md": front_page(readme),
        "docs/reference/commands.md": commands_page(),
        "docs/reference/configuration.md": configuration_page(),
        "docs/reference/errors.md": errors_page(),
        "config/triaged.schema.json": _json(schema_of(DaemonSettings)),
        "config/tenant.schema.json": _json(tenant_schema()),
        **manual(),
    }


def outdated() -> Sequence[str]:
    """List the generated files that are not what the code says."""
    wanted = pages()
    return [path for path, text in wanted.items() if _present(ROOT / path) != text]


def _present(path: Path) -> str:
    return path.read_text(encoding="utf-8") if path.is_file() else ""


@click.command()
@click.option(
    "--check", is_flag=True, help="Write nothing; exit with 1 when something would change."
)
def main(*, check: bool) -> None:
    """Write the generated pages and schemas."""
    changed = outdated()
    for path in changed:
        click.echo(f"{path} {'is out of date: run `make docs`' if check else 'written'}")
        if not check:
            (ROOT / path).parent.mkdir(parents=True, exist_ok=True)
            (ROOT / path).write_text(pages()[path], encoding="utf-8")
    if check and changed:
        raise SystemExit(1)


if __name__ == "__main__":
    main()
