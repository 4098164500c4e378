"""The configuration's keys as JSON schemas and as rows of a table, from the settings themselves."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from connector import registry
from connector.ports import Platform, SecretName
from connector.section import Texts
from connector.settings import TenantSettings

HIDDEN = ("webhook_secret", "previous_webhook_secret")
"""Desk options that `intake.webhook` fills in: nobody writes them, so no page names them."""

SECRET = get_args(SecretName)[1].func
ONE_OR_MORE = get_args(Texts)[1].func
"""The validators that tell these two kinds of value apart from other text."""

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


def sections(
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
