"""`triaged check --online` in full: identity, fields, clock, rules that interfere, the webhook."""

import json
from collections.abc import Callable, Mapping
from datetime import timedelta

import pytest
from world import Desk, Site

from adapters.practice.hooks import Invocation
from adapters.rest.sandbox import RestSandbox
from adapters.rt.sandbox import RtSandbox
from adapters.servicenow.sandbox import ServiceNowSandbox
from adapters.zendesk.sandbox import Fault
from connector.clock import SystemClock
from connector.model import Secret

Json = Mapping[str, str]
MAIL = {"field": "notification_user", "value": ["requester_id", "subject", "body"]}
CALL = {"field": "notification_webhook", "value": ["X", "{}"]}
SETS = {"field": "custom_fields_360001", "value": "hardware"}


@pytest.fixture
def check(inside) -> Callable[..., list[Json]]:
    """Give what `check --online --json` finds of the tenant, having seen its exit code."""

    def run(site: Site, *options: str, code: int = 0) -> list[Json]:
        ended = inside("check", "--online", "--json", *options, site=site)
        assert ended.returncode == code, ended.stdout + ended.stderr
        return [one for one in json.loads(ended.stdout) if one["subject"].startswith("acme: ")]

    return run


def about(found: list[Json], subject: str) -> list[tuple[str, str]]:
    return [
        (one["level"], one["problem"] or one["fact"])
        for one in found
        if one["subject"] == f"acme: {subject}"
    ]


def test_a_desk_without_rules_is_in_order_and_a_missing_webhook_is_told(tenanted, check) -> None:
    found = check(tenanted)
    assert about(found, "clock") == [
        ("ok", "the desk's and this machine's are at most 30 seconds apart")
    ]
    assert about(found, "automations") == [
        ("ok", "no active rule of the desk was found to interfere")
    ]
    [(level, text)] = about(found, "webhook")
    assert level == "warning"
    assert "no webhook of the account ends in /hooks/acme" in text


def test_rules_that_mail_call_or_interfere_are_named(tenanted, desk: Desk, check) -> None:
    limits = {"all": [{"field": "update_type", "operator": "is", "value": "Change"}]}
    spared = {"all": [{"field": "role", "operator": "is_not", "value": "900"}]}
    desk.sandbox.state.triggers = [
        {"title": "Tell them", "actions": [MAIL], "conditions": limits},
        {"title": "Ring", "actions": [CALL], "conditions": limits},
        {"title": "Spared", "actions": [MAIL, CALL, SETS], "conditions": spared},
    ]
    desk.sandbox.state.automations = [
        {"title": "Old is hardware", "actions": [SETS], "conditions": {"all": []}}
    ]
    told = about(check(tenanted), "automations")
    assert {level for level, _ in told} == {"warning"}
    assert [text.partition(":")[0] for _, text in told] == [
        "trigger 'Tell them' may mail requesters when triage sets a field",
        "trigger 'Ring' calls a webhook or target for our changes too, and may come back to us",
        "automation 'Old is hardware' sets 360001, which triage sets too",
    ]


def test_what_the_account_may_not_read_is_told(tenanted, desk: Desk, check) -> None:
    refused = {"times": 9, "status": 403, "body": {"error": "Forbidden"}}
    desk.break_next(
        Fault(match="GET /api/v2/automations", **refused),
        Fault(match="GET /api/v2/webhooks", **refused),
    )
    found = check(tenanted)
    for subject, what in (("automations", "rules"), ("webhook", "webhooks")):
        [(level, text)] = about(found, subject)
        assert level == "warning"
        assert text.startswith(f"the desk's {what} could not be read (GET /api/v2/")
        assert "403 Forbidden" in text


def test_a_webhook_is_looked_at_with_its_secret_and_its_last_call(
    tenanted, desk: Desk, check
) -> None:
    desk.post("webhook", {"url": "http://127.0.0.1:9/hooks/acme"})
    hook = desk.sandbox.hooks.registered["SANDBOX"]
    hooks = desk.sandbox.hooks.invocations
    ours = "webhook 'triage' is active"
    assert about(check(tenanted), "webhook") == [
        ("ok", f"{ours} and signs with our secret; it has not been called yet")
    ]
    hooks.append(Invocation(id="1", ticket="7", webhook="SANDBOX", status=202))
    assert about(check(tenanted), "webhook") == [
        ("ok", f"{ours}, signs with our secret, and its last call was heard")
    ]
    hooks.append(Invocation(id="2", ticket="7", webhook="SANDBOX"))
    [(level, text)] = about(check(tenanted), "webhook")
    assert (level, text.partition(":")[0]) == ("warning", "webhook 'triage'")
    assert "ended as 'failed'" in text
    right, hook.secret = hook.secret, Secret("another")
    [(level, text)] = about(check(tenanted, code=1), "webhook")
    assert level == "error"
    assert "signs with another secret" in text
    assert "another" not in text.replace("another secret", "")
    hook.secret, hook.is_active = right, False
    [(level, text)] = about(check(tenanted, code=1), "webhook")
    assert (level, text) == ("error", "webhook 'triage' is switched off: activate it")


@pytest.mark.parametrize(
    ("behind", "level", "code"), [(20, "ok", 0), (90, "warning", 0), (900, "error", 1)]
)
def test_clocks_that_are_apart_are_told(tenanted, check, monkeypatch, behind, level, code) -> None:
    now = SystemClock.now
    late = timedelta(seconds=behind)
    monkeypatch.setattr(SystemClock, "now", lambda clock: now(clock) - late)
    [(found, text)] = about(check(tenanted, code=code), "clock")
    assert found == level
    if level != "ok":
        assert "seconds ahead of this machine's" in text
        assert "NTP" in text


def test_missing_options_are_listed_and_added_when_asked(tenanted, desk: Desk, check) -> None:
    field = next(each for each in desk.sandbox.state.fields if each["id"] == 360001)
    field["custom_field_options"] = [
        each for each in field["custom_field_options"] if each["value"] != "network"
    ] + [{"name": "Our own", "value": "our_own"}]
    found = check(tenanted, code=78)
    [(level, text)] = about(found, "desk")
    assert level == "error"
    assert "lacks the options network" in text
    assert about(found, "clock"), "what else can be asked is asked all the same"
    found = check(tenanted, "--create-fields")
    assert about(found, "options") == [("ok", "added network to field '360001'")]
    [(level, _)] = about(found, "desk")
    assert level == "ok"
    values = [each["value"] for each in field["custom_field_options"]]
    assert values[-2:] == ["our_own", "network"], "what is there stays, in its order"
    found = check(tenanted, "--create-fields")
    assert about(found, "options") == [("ok", "every drop-down has what answers need")]


def test_options_that_the_account_may_not_add_are_told(tenanted, desk: Desk, check) -> None:
    field = next(each for each in desk.sandbox.state.fields if each["id"] == 360001)
    field["custom_field_options"] = field["custom_field_options"][1:]
    desk.break_next(Fault(match="PUT /api/v2/ticket_fields", status=403, body={"error": "No"}))
    found = check(tenanted, "--create-fields", code=78)
    [(level, text)] = about(found, "options")
    assert level == "error"
    assert "an administrator of it has to" in text


def test_business_rules_and_notifications_are_named(site: Site, resources, check) -> None:
    desk = resources.enter_context(Desk(ServiceNowSandbox()))
    site.tenant("acme", desk)
    state = desk.sandbox.state
    [(level, text)] = about(check(site), "webhook")
    assert level == "warning"
    assert "/hooks/acme" in text
    common = {"collection": "incident", "active": "true", "action_update": "true"}
    common |= {"condition": "", "filter_condition": "", "script": "", "when": "after"}
    spared = "gs.getUserName() != 'triage.integration'"
    scripts = {
        "Loop": {"script": "current.work_notes = 'x'; current.update();"},
        "Mail": {"script": "gs.eventQueue('x', current);"},
        "Sorts": {"script": "current.category = 'hardware';"},
        "Reads": {"script": "if (current.category == 'hardware') gs.info('x');"},
        "Spared": {"script": "current.update();", "condition": spared},
        "Other table": {"script": "current.update();", "collection": "problem"},
        "Off": {"script": "current.update();", "active": "false"},
        "Calls us": {"script": "call.setEndpoint('https://x.example/hooks/acme');"},
    }
    for name, told in scripts.items():
        state.insert("sys_script", {**common, "name": name, **told})
    mail = {"name": "Incident changed", "event_name": ""}
    state.insert("sysevent_email_action", {**common, **mail})
    found = check(site)
    rules = {text.partition(":")[0] for level, text in about(found, "automations")}
    assert rules == {
        "business rule 'Loop' calls current.update(), so that each write is changed once more",
        "business rule 'Mail' queues an event, which may mail",
        "business rule 'Sorts' sets category, which triage sets too",
        "notification 'Incident changed' mails on updates",
    }
    [(level, text)] = about(found, "webhook")
    assert level == "ok"
    assert text.startswith("business rule 'Calls us' calls /hooks/acme")


@pytest.mark.parametrize("sandbox", [RtSandbox, RestSandbox])
def test_what_a_platform_does_not_tell_is_said(sandbox, site: Site, resources, check) -> None:
    desk = resources.enter_context(Desk(sandbox()))
    site.tenant("acme", desk)
    found = check(site)
    assert [level for level, _ in about(found, "clock")] == ["ok"]
    for subject in ("automations", "webhook"):
        [(level, text)] = about(found, subject)
        assert level == "note"
        assert text.startswith("this platform")


def test_people_read_marks(tenanted, desk: Desk, inside) -> None:
    desk.sandbox.state.triggers = [{"title": "Ring", "actions": [CALL], "conditions": {}}]
    ended = inside("check", "--online", site=tenanted)
    assert ended.returncode == 0
    assert "! acme: automations: trigger 'Ring' calls a webhook" in ended.stdout
    assert "✓ acme: clock:" in ended.stdout


def test_creating_needs_the_desks(tenanted, inside) -> None:
    ended = inside("check", "--create-fields", site=tenanted)
    assert ended.returncode == 2
    assert "add --online" in ended.stderr
