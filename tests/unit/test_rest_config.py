"""The options of a generic REST desk: everything wrong is told with its place and a remedy."""

from io import StringIO
from typing import Any

import pytest
from ruamel.yaml import YAML

from adapters import rest
from adapters.rest.pointer import ABSENT, follow, holding, is_pointer
from adapters.rest.sandbox.dialects import DIALECTS, desk_options
from adapters.rest.template import filled, merged, names_in
from connector import config
from connector.errors import ConfigError
from connector.ports import Platform

PLATFORMS: dict[str, Platform] = {"rest": rest.platform}


def changed(options: Any, path: str, value: object) -> dict[str, Any]:
    first, _, more = path.partition(".")
    return {**options, first: changed(options.get(first, {}), more, value) if more else value}


def load(tmp_path, *changes: tuple[str, object], dialect: str = "v2", hook: bool = False) -> Any:
    desk = desk_options("https://desk.acme.example/api", dialect)
    for path, value in changes:
        desk = changed(desk, path, value)
    tenant: dict[str, Any] = {"tenant": "acme", "desk": desk}
    tenant["aspects"] = {"category": {"field": "category"}}
    if hook:
        tenant["intake"] = {"webhook": {"secret": "secret:hook"}}
    stream = StringIO()
    YAML(typ="safe", pure=True).dump(tenant, stream)
    (tmp_path / "tenants").mkdir()
    (tmp_path / "tenants" / "acme.yaml").write_text(stream.getvalue(), "utf-8")
    (tmp_path / "triaged.yaml").write_text("{}\n", "utf-8")
    return config.load(tmp_path / "triaged.yaml", PLATFORMS).tenants[0].desk


@pytest.mark.parametrize("dialect", DIALECTS)
def test_a_whole_desk_is_read(tmp_path, dialect) -> None:
    desk = load(tmp_path, dialect=dialect, hook=True)
    assert (desk.url, desk.webhook_secret) == (f"https://desk.acme.example/api/{dialect}", "hook")


WRONG: list[tuple[str, object, str, str]] = [
    ("url", "http://desk.acme.example", "desk.url", "write https"),
    ("url", "https://desk.acme.example/api?v=2", "desk.url", "that all of the API's paths follow"),
    ("url", "https://u:p@desk.acme.example", "desk.url", "that all of the API's paths follow"),
    ("url", "ftp://desk.acme.example", "desk.url", "that all of the API's paths follow"),
    ("key", "k3y", "desk.key", "write `secret:NAME`"),
    ("auth.kind", "query", "desk.auth.kind", "would stand in every log"),
    ("auth.header", "X Key", "desk.auth.header", "a header's name"),
    ("auth.prefix", "Bearer\n", "desk.auth.prefix", "pattern"),
    ("identity.account", "user.email", "desk.identity.account", "write a JSON pointer"),
    ("identity.path", "me", "desk.identity.path", "begins with a slash"),
    ("identity.path", "/me?full=1", "desk.identity.path", "parameters go into `query`"),
    ("identity.path", "/a/../b", "desk.identity.path", "begins with a slash"),
    ("tickets.path", "https://evil.example/t", "desk.tickets.path", "begins with a slash"),
    ("tickets.query", {"api_key": "x"}, "desk.tickets.query", "api_key looks like a key"),
    ("tickets.query", {"access_token": "x"}, "desk.tickets.query", "send it by `auth`"),
    ("ticket.path", "/tickets", "desk.ticket.path", "has {id} once"),
    ("ticket.path", "/tickets/{id}/{ticket}", "desk.ticket.path", "has {id} once"),
    ("ticket.subject", "subject", "desk.ticket.subject", "write a JSON pointer"),
    ("ticket.subject", "/a~2b", "desk.ticket.subject", "write a JSON pointer"),
    ("ticket.resolved", [], "desk.ticket.resolved", "at least 1"),
    ("ticket.updated", None, "desk.ticket", "`changes.by: updated` needs `updated`"),
    ("ticket.web", "desk.acme.example/{id}", "desk.ticket.web", "write an address that has {id}"),
    ("pages", {"by": "number"}, "desk.pages", "needs `parameter`"),
    ("pages", {"by": "cursor", "parameter": "c"}, "desk.pages", "needs `pointer`"),
    ("pages", {"by": "next"}, "desk.pages", "needs `pointer`"),
    ("pages.size", 0, "desk.pages.size", "greater than or equal to 1"),
    ("changes.order", "none", "desk.changes", "needs a list in `ascending` or `descending` order"),
    ("changes.parameter", None, "desk.changes", "would begin with the oldest ticket"),
    ("changes.overlap", 0, "desk.changes.overlap", "greater than or equal to 1"),
    ("fields", {}, "desk.fields", "at least 1"),
    ("fields.category.options", ["a"], "desk.fields.category", "one of `values`, `options`"),
    ("fields.assignee.options", ["a"], "desk.fields.assignee", "other kinds take none"),
    ("fields.priority.values", {"low": [1]}, "desk.fields.priority.values.low", "write a text, a"),
    ("fields.priority.kind", "drop-down", "desk.fields.priority.kind", "'text', 'choice'"),
    ("fields.category.write", None, "desk.write", "`fields.category` is found by `where`"),
    ("write.body", {"a": "{ticket}"}, "desk.write.body", "{ticket} is no placeholder"),
    ("write.condition", "revision", "desk.write", "needs `ticket.revision`, and {revision}"),
    ("write.colour", "red", "desk.write.colour", "unknown key"),
    ("webhook.signed", "{timestamp}", "desk.webhook", "has {body} once"),
    ("webhook.signed", "{body}{id}", "desk.webhook", "has {body} once"),
    ("webhook.timestamp_header", None, "desk.webhook", "`signed` needs `timestamp_header`"),
    ("webhook.algorithm", "md5", "desk.webhook.algorithm", "'sha256'"),
]


@pytest.mark.parametrize(("path", "value", "place", "told"), WRONG)
def test_what_is_wrong_is_told_with_its_place(tmp_path, path, value, place, told) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, (path, value))
    (problem,) = wrong.value.problems
    file, line, column, key, message = problem.split(":", 4)
    assert file.endswith("acme.yaml")
    assert (int(line) > 1, int(column) >= 1) == (True, True)
    assert key.strip() == place
    assert told in message


def test_the_line_is_that_of_the_key(tmp_path) -> None:
    with pytest.raises(ConfigError) as wrong:
        load(tmp_path, ("ticket.subject", "subject"))
    text = (tmp_path / "tenants" / "acme.yaml").read_text("utf-8").splitlines()
    line = int(wrong.value.problems[0].split(":")[1])
    assert text[line - 1].strip() == "subject: subject"


def test_calls_that_would_look_alike_are_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match="the second be dropped"):
        load(tmp_path, ("webhook", {"header": "X-Sig", "ticket": "/id"}))


def test_a_webhook_secret_without_a_recipe_is_refused(tmp_path) -> None:
    with pytest.raises(ConfigError, match=r"`intake.webhook` needs `desk.webhook`"):
        load(tmp_path, ("webhook", None), hook=True)


def test_an_ascending_list_by_number_needs_pages_that_can_be_counted(tmp_path) -> None:
    pages = {"by": "link"}
    with pytest.raises(ConfigError, match="read from its end"):
        load(tmp_path, ("pages", pages), dialect="plain")
    (tmp_path / "again").mkdir()
    load(tmp_path / "again", ("pages", pages), ("changes.order", "descending"), dialect="plain")


def test_a_body_comes_from_the_ticket_or_from_its_first_message(tmp_path) -> None:
    with pytest.raises(ConfigError, match="`body` is missing"):
        load(tmp_path, ("messages", None), dialect="plain")


RFC = {
    "foo": ["bar", "baz"],
    "": 0,
    "a/b": 1,
    "c%d": 2,
    "e^f": 3,
    "g|h": 4,
    "i\\j": 5,
    'k"l': 6,
    " ": 7,
    "m~n": 8,
}


@pytest.mark.parametrize(
    ("pointer", "value"),
    [
        ("", RFC),
        ("/foo", ["bar", "baz"]),
        ("/foo/0", "bar"),
        ("/", 0),
        ("/a~1b", 1),
        ("/c%d", 2),
        ("/e^f", 3),
        ("/g|h", 4),
        ("/i\\j", 5),
        ('/k"l', 6),
        ("/ ", 7),
        ("/m~0n", 8),
        ("/foo/2", ABSENT),
        ("/foo/-", ABSENT),
        ("/foo/00", ABSENT),
        ("/foo/x", ABSENT),
        ("/foo/0/x", ABSENT),
        ("/nothing", ABSENT),
    ],
)
def test_pointers_lead_where_rfc_6901_says(pointer, value) -> None:
    assert is_pointer(pointer)
    assert follow(RFC, pointer) == value


def test_tilde_is_read_last(tmp_path) -> None:
    del tmp_path
    assert follow({"~1": "right", "/": "wrong"}, "/~01") == "right"
    assert [is_pointer(each) for each in ("a", "/~", "/~2", "/a~")] == [False] * 4
    assert holding("/a/b~1c", 1) == {"a": {"b/c": 1}}


def test_templates_keep_types_and_are_put_together() -> None:
    values = {"id": 7, "value": ["a"], "field": "101", "revision": None}
    template = {"{field}": "{value}", "n": ["{id}", "no {id}", {"r": "{revision}"}], "x": True}
    assert filled(template, values) == {
        "101": ["a"],
        "n": [7, "no 7", {"r": None}],
        "x": True,
    }
    assert names_in(template) == ["field", "value", "id", "id", "revision"]
    assert filled("{other}", values) == "{other}"
    one, other = {"a": {"b": [1], "c": 1}}, {"a": {"b": [2], "c": 2, "d": 3}}
    assert merged(one, other) == {"a": {"b": [1, 2], "c": 2, "d": 3}}
