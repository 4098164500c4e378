"""Writes the reference pages and JSON schemas from the code, or checks that they are up to date."""

import inspect
import json
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, get_args

import click
import manpages
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema
from ruamel.yaml import YAML

from connector import errors, registry
from connector.cli.main import main as entry
from connector.cli.main import triaged
from connector.ports import Platform, SecretName
from connector.section import Texts
from connector.settings import DaemonSettings, TenantSettings

ROOT = ROOT_OF_CODE = Path(__file__).resolve().parent.parent
WIDTH = 100
NOTE = "<!-- Written by docs/generate.py from the code; `make docs` writes it anew. -->"

HIDDEN = ("webhook_secret", "previous_webhook_secret")
"""Desk options that `intake.webhook` fills in: nobody writes them, so no page names them."""

SECRET = get_args(SecretName)[1].func
ONE_OR_MORE = get_args(Texts)[1].func
"""The validators that tell these two kinds of value apart from other text."""

FEATURES = ("platform", "hears of tickets by", "writes by", "rules kept")
PLATFORMS_BEGIN, PLATFORMS_END = "<!-- platforms -->", "<!-- /platforms -->"

ASPECTS = "aspects."
ASPECT_KEYS = "AspectSettings"
WHEN = "When"
"""Sections that stand in many places and are described once."""

CONFIGURATION = """\
One file for the daemon, one file for each tenant. The files are YAML 1.2 in UTF-8: `no` and `off`
are text, and a key that stands twice is an error. A key that no table here names is refused. All
problems are shown at once, each as `file:line:column: path: what is wrong and the remedy`.
`triaged check` reads the same files with the same rules as `triaged run`.

- A **duration** is a number and a unit: `ms`, `s`, `m`, `h` or `d`, such as `30s` or `1.5h`.
- A **share** is a number of a hundred, such as `5%`.
- A **secret** is written as `secret:NAME`; the value lies in the keyring or in a systemd
  credential under NAME. Letters, digits, `.`, `_` and `-` are allowed in it.
- A **relative path** counts from the folder of `triaged.yaml`, except `models.bundle`, which
  counts from the folder in which the daemon was started: write that one as an absolute path.

Editors that understand JSON schema can check while you type: `config/triaged.schema.json` and
`config/tenant.schema.json` say the same as this page."""

COMMANDS = """\
Every command prints results on standard output, and messages on standard error. `-h` is the same
as `--help`.

| exit code | meaning |
|---|---|
| 0 | done |
| 1 | failed: the message says what, and the remedy |
| 2 | usage: no such command, option or value |
| 78 | configuration: nothing was started; systemd does not try it again |
| 130 | interrupted with Ctrl-C |"""

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

ERRORS = """\
Errors are named after what happens next. Each text below is the message that you see in the log
or on the terminal, after the detail that belongs to the case. The exit code is that of a command
that ends with the error. The daemon ends only with those that arise before it is ready; after
that, an error pauses a tenant or sets a ticket aside, as its text says."""


class Schema(GenerateJsonSchema):
    """JSON schema of what a file may hold, which is not always what the settings hold later."""

    def function_after_schema(
        self, schema: core_schema.AfterValidatorFunctionSchema
    ) -> JsonSchemaValue:
        """Tell secrets apart from other text."""
        inner = super().function_after_schema(schema)
        if schema["function"]["function"] is SECRET:
            return {**inner, "pattern": "^secret:[A-Za-z0-9._-]+$"}
        return inner

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        """Allow one text where a list of texts is meant, as the loader does."""
        inner = super().function_before_schema(schema)
        if schema["function"]["function"] is ONE_OR_MORE:
            return {"anyOf": [{"type": "string", "minLength": 1}, inner]}
        return inner

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """Write durations as people do; a section's default is that of its keys."""
        default = schema.get("default")
        inner = super().default_schema(schema)
        if isinstance(default, BaseModel):
            return self.generate_inner(schema["schema"])
        if isinstance(default, timedelta):
            return {**inner, "default": f"{default.total_seconds():g}s"}
        return inner

    def field_title_should_be_set(self, schema: Any) -> bool:
        """Leave titles out: they only repeat the keys."""
        del schema
        return False


def schema_of(model: type[BaseModel]) -> dict[str, Any]:
    """Give a model's JSON schema."""
    found = model.model_json_schema(schema_generator=Schema)
    for name in HIDDEN:
        found.get("properties", {}).pop(name, None)
    return {"$schema": Schema.schema_dialect, **found}


def tenant_schema() -> dict[str, Any]:
    """Give the schema of a tenant file, its desk being that of any platform that comes with us."""
    whole = schema_of(TenantSettings)
    definitions = whole["$defs"]
    choices = []
    for platform in platforms():
        desk = schema_of(platform.options)
        desk.pop("$schema")
        definitions.update(desk.pop("$defs", {}))
        name = f"Desk_{platform.name}"
        definitions[name] = {**desk, "required": sorted({"platform", *desk.get("required", ())})}
        choices.append({"$ref": f"#/$defs/{name}"})
    whole["properties"]["desk"]["anyOf"] = choices
    return whole


def platforms() -> Sequence[Platform]:
    """List the platforms that come with triaged, by name; what else is installed is not ours."""
    known = registry.platforms()
    found = [known[name] for name in sorted(known)]
    return [each for each in found if each.options.__module__.startswith("adapters.")]


def configuration_page() -> str:
    """Render every key of both files."""
    parts = ["# Configuration", NOTE, CONFIGURATION]
    for title, said, rows in _sections(schema_of(DaemonSettings), tenant_schema()):
        parts += [f"## {title}", _wrapped(said), _table(rows)]
    return _page(parts)


def _sections(
    daemon: Mapping[str, Any], tenant: Mapping[str, Any]
) -> Iterator[tuple[str, str, Iterator[Sequence[str]]]]:
    """Yield every section of both files: its title, what it is, its keys."""
    known = tenant["$defs"]
    aspect, when = known[ASPECT_KEYS], known[WHEN]
    yield "triaged.yaml", _said(daemon), _keys(daemon, daemon["$defs"])
    yield "tenants/NAME.yaml", _said(tenant), _keys(tenant, known)
    yield "Keys of each aspect", _said(aspect), _keys(aspect, known, f"{ASPECTS}ASPECT.")
    yield "Keys of each when", _said(when), _keys(when, known, "when.")
    for platform in platforms():
        desk = known[f"Desk_{platform.name}"]
        yield f"desk: platform {platform.name}", _said(desk), _keys(desk, known, "desk.")


def _said(schema: Mapping[str, Any]) -> str:
    return str(schema.get("description", ""))


def _keys(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], prefix: str = ""
) -> Iterator[Sequence[str]]:
    """Yield key, type, default and meaning of a section, and of the sections in it."""
    for key, node in schema["properties"].items():
        path = f"{prefix}{key}"
        found, optional = _resolved(node, definitions)
        meaning = " ".join(str(node.get("description") or found.get("description") or "").split())
        default = _default(node, is_required=key in schema.get("required", ()))
        if path.startswith(ASPECTS) and ASPECT_KEYS in str(node):
            meaning = f"How {key} is answered; see [below](#keys-of-each-aspect)."
            yield (f"`{path}`", "section", "off", meaning)
        elif found is definitions.get(WHEN):
            meaning = f"{meaning} See [below](#keys-of-each-when)."
            yield (f"`{path}`", "section", default, meaning)
        elif each := _of_each(found, definitions):
            mark, section = each
            kind = "map of name to section" if mark == "NAME" else "list of sections"
            yield (f"`{path}`", kind, default, meaning)
            yield from _keys(section, definitions, f"{path}.{mark}.")
        elif found.get("properties"):
            shown = "none" if optional else ("required" if default == "required" else "")
            yield (f"`{path}`", "section", shown, meaning)
            yield from _keys(found, definitions, f"{path}.")
        else:
            yield (f"`{path}`", _type(found, definitions), default, meaning)


def _of_each(
    node: Mapping[str, Any], definitions: Mapping[str, Any]
) -> tuple[str, Mapping[str, Any]] | None:
    """Give the section that every entry of a map or list is, and how an entry is written."""
    for place, mark in (("additionalProperties", "NAME"), ("items", "N")):
        entry = node.get(place)
        if isinstance(entry, Mapping):
            section, _ = _resolved(entry, definitions)
            if section.get("properties"):
                return mark, section
    return None


def _resolved(
    node: Mapping[str, Any], definitions: Mapping[str, Any]
) -> tuple[Mapping[str, Any], bool]:
    """Follow a reference; tell also whether nothing may stand there."""
    choices = [each for each in node.get("anyOf", ()) if each.get("type") != "null"]
    optional = len(choices) < len(node.get("anyOf", ()))
    if len(choices) == 1 and optional:
        node = choices[0]
    name = node.get("$ref", "").rpartition("/")[2]
    return (definitions[name] if name else node), optional


def _default(node: Mapping[str, Any], *, is_required: bool) -> str:
    if is_required:
        return "required"
    default = node.get("default")
    if default in (None, [], {}):
        return "none"
    if default == "":
        return "empty"
    return f"`{default}`" if isinstance(default, str) else f"`{json.dumps(default)}`"


def _type(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    """Say in words what a key takes."""
    if "anyOf" in node:
        choices = [_resolved(each, definitions)[0] for each in node["anyOf"]]
        if "OwnLabel" in str(node):
            return "words, list of words, or `{stands_for: […], words: […]}`"
        if any("properties" in each for each in choices):
            return "section, by `platform`"
        return " or ".join(_type(each, definitions) for each in choices)
    allowed = [node["const"]] if "const" in node else node.get("enum", ())
    if allowed:
        return ", ".join(f"`{each}`" for each in allowed)
    if "$ref" in node:
        return _type(_resolved(node, definitions)[0], definitions)
    pattern = str(node.get("pattern", ""))
    if "%" in pattern:
        return "share"
    if pattern.startswith("^secret:"):
        return "secret"
    return "duration" if "(ms|s|m|h|d)" in pattern else _plain_type(node, definitions)


def _plain_type(node: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    kind = node.get("type")
    if kind is None:
        return "anything"
    if kind == "null":
        return "nothing"
    if kind == "array":
        return f"list of {_type(node['items'], definitions)}"
    if kind == "object":
        inner = node["additionalProperties"]
        return f"map of text to {_type({} if inner is True else inner, definitions)}"
    if node.get("format") == "path":
        return "path"
    words = {"string": "text", "integer": "whole number", "number": "number", "boolean": "flag"}
    return words[str(kind)] + _bounds(node)


def _bounds(node: Mapping[str, Any]) -> str:
    least, most = node.get("minimum"), node.get("maximum")
    if least is None:
        return ""
    return f", {least} to {most}" if most is not None else f", at least {least}"


def commands_page() -> str:
    """Render every command that comes with triaged."""
    summary = (inspect.getdoc(entry) or "").partition("\n")[0]
    if "0 done, 1 failed, 2 usage, 78 configuration" not in summary:
        raise SystemExit("connector/cli/main.py: exit codes differ from those in docs/generate.py")
    context = click.Context(triaged, info_name="triaged")
    parts = ["# Commands", NOTE, _wrapped(triaged.help or ""), COMMANDS]
    parts += [_table(_options(triaged, context), ("option", "default", "meaning"))]
    for name, command in our_commands(context):
        parts += _command(command, context, name)
    return _page(parts)


def our_commands(context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Yield the commands that come with triaged, by name."""
    for name in triaged.list_commands(context):
        command = triaged.get_command(context, name)
        if command is not None and _is_ours(command):
            yield name, command


def _is_ours(command: click.Command) -> bool:
    module = getattr(command.callback, "__module__", "")
    return module.partition(".")[0] in {"connector", "adapters", "classifiers"}


def _command(command: click.Command, parent: click.Context, name: str) -> Iterator[str]:
    context = click.Context(command, info_name=name, parent=parent)
    usage = " ".join(command.collect_usage_pieces(context))
    yield f"## {context.command_path}"
    yield f"```\n{context.command_path} {usage}\n```"
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        yield _wrapped(paragraph)
    yield _table(_options(command, context), ("option", "default", "meaning"))
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield from _command(found, context, child)


def _options(command: click.Command, context: click.Context) -> Iterator[Sequence[str]]:
    for option in command.get_params(context):
        if not isinstance(option, click.Option):
            continue
        names = ", ".join(f"`{name}`" for name in (*option.opts, *option.secondary_opts))
        takes = "" if option.is_flag else f" `{option.make_metavar(context)}`"
        default = option.get_default(context)
        shown = "" if option.is_flag or not option.show_default else f"`{default}`"
        shown = "required" if option.required else shown
        variable = f" Environment: `{option.envvar}`." if option.envvar else ""
        yield f"{names}{takes}", shown, f"{option.help or ''}{variable}"


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
    for child, found in _children(command, context):
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
    children = list(_children(command, context))
    for child, found in children:
        usage = " ".join(
            found.collect_usage_pieces(click.Context(found, info_name=child, parent=context))
        )
        yield manpages.synopsis(f"triaged {name} {child}", usage)
    if not children:
        usage = " ".join(command.collect_usage_pieces(context))
        yield manpages.synopsis(f"triaged {name}", usage)


def _children(
    command: click.Command, context: click.Context
) -> Iterator[tuple[str, click.Command]]:
    if isinstance(command, click.Group):
        for child in command.list_commands(context):
            found = command.get_command(context, child)
            if found is not None:
                yield child, found


def _options_manual(command: click.Command, context: click.Context) -> Iterator[str]:
    for term, default, meaning in _options(command, context):
        shown = f" ({default})" if default == "required" else f" Default: {default}."
        yield manpages.entry(term, meaning + (shown if default else ""))


def _files_manual() -> str:
    daemon, tenant = schema_of(DaemonSettings), tenant_schema()
    parts = [manpages.heading("Description"), *manpages.paragraphs(CONFIGURATION)]
    for title, said, rows in _sections(daemon, tenant):
        parts += [manpages.heading(title), *manpages.paragraphs(said)]
        for key, kind, default, meaning in rows:
            shown = default if default in {"", "required"} else f"default: {default}"
            about = "; ".join(filter(None, (kind, shown)))
            parts.append(manpages.entry(f"{key} ({about})", meaning or "See below."))
    parts += [manpages.heading("See also")]
    parts.append(manpages.references(["triaged(1)", "triaged-check(1)", "triaged-init(1)"]))
    return manpages.page("triaged.yaml", 5, "configuration of triaged and of its tenants", parts)


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
