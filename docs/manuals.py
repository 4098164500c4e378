"""The manual pages, from the same rows as the reference pages."""

import inspect
from collections.abc import Iterator, Mapping, Sequence

import click
import manpages
from command_options import COMMANDS, children, options, our_commands
from configuration_keys import CONFIGURATION, schema_of, sections, tenant_schema

from connector.cli.main import triaged
from connector.settings import DaemonSettings

VARIABLES = {
    "TRIAGED_CONFIG": "The daemon's configuration file, where `--config` is not given.",
    "CREDENTIALS_DIRECTORY": "A folder with each secret as a file of its name, as systemd gives it"
    " to a service. Where it is set, secrets are looked for nowhere else.",
}
FILES = {
    "/etc/triaged/triaged.yaml": "The daemon's settings.",
    "/etc/triaged/tenants/": "A file for each tenant.",
    "/etc/triaged/credentials/": "Secrets, each sealed for this machine.",
    "/var/lib/triaged/": "What the daemon knows: its database, and promoted bundles.",
}


def manual() -> Mapping[str, str]:
    """Give the manual pages by path: one of the whole, one of each command, one of the files."""
    context = click.Context(triaged, info_name="triaged")
    known = dict(our_commands(context))
    pages = {
        f"triaged-{name}.1": _command_manual(name, known[name], context) for name in sorted(known)
    }
    seen = [f"{page.removesuffix('.1')}(1)" for page in pages]
    pages["triaged.1"] = _whole_manual(context, known, seen)
    pages["triaged.yaml.5"] = _files_manual()
    return {f"share/man/man{name[-1]}/{name}": text for name, text in sorted(pages.items())}


def _whole_manual(
    context: click.Context, known: Mapping[str, click.Command], seen: Sequence[str]
) -> str:
    parts = [manpages.heading("Synopsis"), manpages.synopsis("triaged", "[OPTIONS] COMMAND")]
    said, _, codes = COMMANDS.partition("\n\n|")
    parts += [manpages.heading("Description"), *manpages.paragraphs(triaged.help or "")]
    parts += [*manpages.paragraphs(said), manpages.heading("Commands")]
    for name, command in known.items():
        first = inspect.cleandoc(command.help or "").split("\n\n")[0]
        parts.append(manpages.entry(f"`{name}`", first))
    parts += [manpages.heading("Options"), *_options_manual(triaged, context)]
    parts.append(manpages.heading("Exit status"))
    for line in codes.splitlines()[2:]:
        code, meaning = line.strip("| ").split(" | ")
        parts.append(manpages.entry(f"`{code}`", meaning))
    for title, entries in (("Environment", VARIABLES), ("Files", FILES)):
        parts.append(manpages.heading(title))
        parts += [manpages.entry(f"`{name}`", meaning) for name, meaning in entries.items()]
    parts += [manpages.heading("See also"), manpages.references(["triaged.yaml(5)", *seen])]
    return manpages.page("triaged", 1, "triage of help-desk tickets on this machine", parts)


def _command_manual(name: str, command: click.Command, parent: click.Context) -> str:
    first, *more = inspect.cleandoc(command.help or "").split("\n\n")
    parts = [manpages.heading("Synopsis"), *_synopses(name, command, parent)]
    parts += [manpages.heading("Description"), *manpages.paragraphs(first)]
    parts += [line for paragraph in more for line in manpages.paragraphs(paragraph)]
    context = click.Context(command, info_name=name, parent=parent)
    for child, found in children(command, context):
        parts += [manpages.subheading(f"triaged {name} {child}")]
        parts += manpages.paragraphs(inspect.cleandoc(found.help or ""))
        parts += _options_manual(found, click.Context(found, info_name=child, parent=context))
    parts += [manpages.heading("Options"), *_options_manual(command, context)]
    parts += [manpages.heading("See also")]
    parts.append(manpages.references(["triaged(1)", "triaged.yaml(5)"]))
    summary = first.partition(". ")[0].rstrip(".")
    return manpages.page(f"triaged-{name}", 1, summary[0].lower() + summary[1:], parts)


def _synopses(name: str, command: click.Command, parent: click.Context) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    parts = list(children(command, context))
    for child, found in parts:
        usage = " ".join(
            found.collect_usage_pieces(click.Context(found, info_name=child, parent=context))
        )
        yield manpages.synopsis(f"triaged {name} {child}", usage)
    if not parts:
        usage = " ".join(command.collect_usage_pieces(context))
        yield manpages.synopsis(f"triaged {name}", usage)


def _options_manual(command: click.Command, context: click.Context) -> Iterator[str]:
    for term, default, meaning in options(command, context):
        shown = f" ({default})" if default == "required" else f" Default: {default}."
        yield manpages.entry(term, meaning + (shown if default else ""))


def _files_manual() -> str:
    daemon, tenant = schema_of(DaemonSettings), tenant_schema()
    parts = [manpages.heading("Description"), *manpages.paragraphs(CONFIGURATION)]
    for title, said, rows in sections(daemon, tenant):
        parts += [manpages.heading(title), *manpages.paragraphs(said)]
        for key, kind, default, meaning in rows:
            shown = default if default in {"", "required"} else f"default: {default}"
            about = "; ".join(filter(None, (kind, shown)))
            parts.append(manpages.entry(f"{key} ({about})", meaning or "See below."))
    parts += [manpages.heading("See also")]
    parts.append(manpages.references(["triaged(1)", "triaged-check(1)", "triaged-init(1)"]))
    return manpages.page("triaged.yaml", 5, "configuration of triaged and of its tenants", parts)
