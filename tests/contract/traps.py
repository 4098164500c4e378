"""Traps of the platforms, the line that is the remedy, and the test that fails without it.

`without_remedies.py` takes each remedy out once and runs its test. Numbers before a trap are those
of the common ones; a trap without a number is a platform's own.
"""

from typing import NamedTuple

ZENDESK, SERVICENOW, RT = "adapters/zendesk", "adapters/servicenow", "adapters/rt"
C, U = "tests/contract", "tests/unit"
SESSION, LIMITS, WEBHOOK = "adapters/http.py", "adapters/limits.py", "connector/webhook.py"


class Trap(NamedTuple):
    """A trap; in `file`, `remedy` becomes `without`, and then `test` fails."""

    what: str
    file: str
    remedy: str
    without: str
    test: str


_PAST_SECOND = (
    "cursor = Cursor(__import__('base64').b64encode(__import__('base64').b64decode(after)"
    ".split(b'||')[0] + b'||99999999|').decode())"
)
_FOLLOWED = (
    "page = json_object(self._client._session.get(page['after_url'])) if 'page' in locals() else"
    " self._client.export_after(cursor) if cursor else"
)

TRAPS = (
    Trap(
        "1 Zendesk: a second that is cut by a page's border",
        f"{ZENDESK}/adapter.py",
        "cursor = Cursor(after)",
        _PAST_SECOND,
        f"{C}/test_zendesk_export.py::one_second",
    ),
    Trap(
        "1 ServiceNow: a second that is cut by a page's border",
        f"{SERVICENOW}/changes.py",
        "key, within, offset = _behind(stamp, sys_id), True, 0",
        'key, within, offset = [Condition(STAMP, ">", stamp)], False, 0',
        f"{C}/test_servicenow_changes.py::one_second_are_not_lost",
    ),
    Trap(
        "1 ServiceNow: a transaction that commits late",
        f"{SERVICENOW}/changes.py",
        "return max(_earlier(self.at, overlap), self.floor)",
        "return self.at",
        f"{C}/test_servicenow_changes.py::slow_transaction",
    ),
    Trap(
        "1 ServiceNow: two changes within one second",
        f"{SERVICENOW}/changes.py",
        '{text_of(row.get(SYS_ID))}.{text_of(row.get(COUNT))}"',
        '{text_of(row.get(SYS_ID))}"',
        f"{C}/test_servicenow_changes.py::two_changes_within_one_second",
    ),
    Trap(
        "1 Request Tracker: a transaction that commits late",
        f"{RT}/adapter.py",
        "late = self._late(place) if cursor is not None else ()",
        "late = ()",
        f"{C}/test_rt_reading.py::commits_late",
    ),
    Trap(
        "1 Request Tracker: a page's border",
        f"{RT}/adapter.py",
        'condition = f"id > {place.last}"',
        'condition = f"id > {place.last + 1}"',
        f"{C}/test_rt_reading.py::one_second",
    ),
    Trap(
        "2 Zendesk: an empty page of the export",
        f"{ZENDESK}/adapter.py",
        'last = page.get("end_of_stream") is not False or after == cursor',
        'last = page.get("end_of_stream") is not False or not page.get("tickets")',
        f"{C}/test_zendesk_export.py::an_empty_page_that_is_not_the_last",
    ),
    Trap(
        "2 ServiceNow: rows that access rules hide",
        f"{SERVICENOW}/client.py",
        "more = bool(following) or counted or len(rows) >= limit",
        "more = len(rows) >= limit",
        f"{C}/test_servicenow_changes.py::rows_that_we_may_not_see",
    ),
    Trap(
        "2 Request Tracker: a page whose rows are all hidden",
        f"{RT}/adapter.py",
        "last = len(rows) < self.page_size and self._client.newest_transaction() <= place.last",
        "last = len(rows) < self.page_size",
        f"{C}/test_rt_reading.py::rows_are_all_hidden or between_hidden",
    ),
    Trap(
        "3 Retry-After as a date",
        LIMITS,
        "seconds = _until(told, now)",
        "pass",
        f"{U}/test_limits_told.py::every_spelling",
    ),
    Trap(
        "3 Retry-After that is missing",
        LIMITS,
        'told = headers.get("Retry-After", "").strip()',
        'told = headers["Retry-After"].strip()',
        f"{U}/test_limits_told.py::may_be_missing",
    ),
    Trap(
        "3 Zendesk: 429 with a body that is text",
        SESSION,
        '        except ValueError:\n            return ""',
        '        except KeyError:\n            return ""',
        f"{C}/test_zendesk_limits.py::a_429_with_a_text_body",
    ),
    Trap(
        "4 Zendesk: 409",
        SESSION,
        "_OVERTAKEN = frozenset({HTTPStatus.CONFLICT, HTTPStatus.PRECONDITION_FAILED})",
        "_OVERTAKEN = frozenset({HTTPStatus.PRECONDITION_FAILED})",
        f"{C}/test_zendesk_writing.py::a_conflict_between_reading_and_writing",
    ),
    Trap(
        "4 Zendesk: a write without a condition",
        f"{ZENDESK}/client.py",
        '{**changes, "safe_update": True, "updated_stamp": stamp}.items()',
        "changes.items()",
        f"{C}/test_zendesk_writing.py::a_conflict_between_reading_and_writing",
    ),
    Trap(
        "4 Zendesk: a change within the stamp's own second",
        f"{ZENDESK}/adapter.py",
        "moved = present.revision != ticket.revision or any(",
        "moved = present.revision != ticket.revision or False and any(",
        f"{C}/test_zendesk_writing.py::within_the_stamps_second",
    ),
    Trap(
        "4 Request Tracker: a write without a condition",
        f"{RT}/client.py",
        'response = self._session.put(url, json=changes, headers={"If-Match": tag})',
        "response = self._session.put(url, json=changes)",
        f"{C}/test_rt_writing.py::comes_between_reading_and_writing",
    ),
    Trap(
        "4 Request Tracker: a change in the second of our reading",
        f"{RT}/mapping.py",
        "return f\"{raw.get('LastUpdated')}.{digest}\"",
        "return f\"{raw.get('LastUpdated')}\"",
        f"{C}/test_rt_writing.py::in_the_second_of_our_reading",
    ),
    Trap(
        "4 ServiceNow: a change before our last look",
        f"{SERVICENOW}/adapter.py",
        "        if moved:\n            raise Conflict",
        "        if False:\n            raise Conflict",
        f"{C}/test_servicenow_writing.py::before_our_last_look",
    ),
    Trap(
        "4 ServiceNow: a change in the moment of our write",
        f"{SERVICENOW}/adapter.py",
        "if left or changed > 1 + self._options.rule_updates:",
        "if left:",
        f"{C}/test_servicenow_writing.py::in_the_moment_of_writing",
    ),
    *(
        Trap(
            f"5 {title}: our own write is news",
            "connector/model.py",
            'told = f"{self.subject}\\x00{self.description}\\x00{self.last_message_id}"',
            'told = f"{self.subject}\\x00{self.revision}\\x00{self.last_message_id}"',
            f"{C}/test_{key}.py::our_own_write_comes_back",
        )
        for title, key in (
            ("Zendesk", "zendesk"),
            ("ServiceNow", "servicenow"),
            ("Request Tracker", "rt"),
        )
    ),
    Trap(
        "6 a call that is sent again later",
        WEBHOOK,
        "TOLERANCE = timedelta(seconds=300)",
        "TOLERANCE = timedelta(days=9999)",
        f"{U}/test_webhook.py::a_signed_time_must_be_near_ours",
    ),
    Trap(
        "6 Zendesk: the parts in the other order",
        f"{ZENDESK}/webhook.py",
        'message = timestamp.encode("utf-8", "surrogatepass") + body',
        'message = body + timestamp.encode("utf-8", "surrogatepass")',
        f"{C}/test_zendesk_webhooks.py::in_the_other_order",
    ),
    Trap(
        "6 Zendesk: a key that is decoded",
        f"{ZENDESK}/webhook.py",
        "key = secret.reveal().encode()",
        "key = base64.b64decode(secret.reveal())",
        f"{C}/test_zendesk_webhooks.py::a_key_is_text",
    ),
    Trap(
        "6 ServiceNow: a key that is decoded",
        f"{SERVICENOW}/webhook.py",
        "hmac.new(secret.reveal().encode(), message",
        "hmac.new(base64.b64decode(secret.reveal()), message",
        f"{C}/test_servicenow_webhooks.py::a_key_is_text",
    ),
    *(
        Trap(
            f"6 {title}: a body that was written anew",
            f"{folder}/webhook.py",
            f"signature(key, {stamp}body), keys)",
            f"signature(key, {stamp}__import__('json').dumps(__import__('json').loads("
            "body or b'null')).encode()), keys)",
            f"{C}/test_{key}.py::a_call_that_was_not_signed_as_it_stands",
        )
        for title, folder, key, stamp in (
            ("Zendesk", ZENDESK, "zendesk", "timestamp, "),
            ("ServiceNow", SERVICENOW, "servicenow", "timestamp, "),
            ("Request Tracker", RT, "rt", ""),
        )
    ),
    Trap(
        "6 Zendesk: the secret that is published",
        f"{ZENDESK}/__init__.py",
        "== PUBLIC_TEST_SECRET",
        "== PUBLIC_TEST_SECRET[:0]",
        f"{C}/test_zendesk_webhooks.py::the_public_test_secret",
    ),
    Trap(
        "7 ServiceNow: a row that the query excludes",
        f"{SERVICENOW}/client.py",
        "        require_applied(table, where, rows)\n",
        "",
        f"{C}/test_servicenow_changes.py::older_than_the_bound or misspelt",
    ),
    Trap(
        "12 Zendesk: tags are set as a whole",
        f"{ZENDESK}/client.py",
        "json_object(self._session.put(self._tags(ticket_id), json=body))",
        "json_object(self._session.post(self._tags(ticket_id), json=body))",
        f"{C}/test_zendesk.py::tags_of_others or an_own_earlier_tag",
    ),
    Trap(
        "12 Zendesk: tags are added without a condition",
        f"{ZENDESK}/client.py",
        '{"tags": tags, "updated_stamp": stamp, "safe_update": "true"}',
        '{"tags": tags}',
        f"{C}/test_zendesk_writing.py::a_tag_that_another_agent_adds",
    ),
    Trap(
        "12 Request Tracker: tags are set as a whole",
        f"{RT}/mapping.py",
        "sorted(present - outdated | wanted)",
        "sorted(wanted)",
        f"{C}/test_rt.py::tags_of_others or an_own_earlier_tag",
    ),
    Trap(
        "13 Zendesk: after_url at another host",
        f"{ZENDESK}/adapter.py",
        "page = self._client.export_after(cursor) if cursor else",
        _FOLLOWED,
        f"{C}/test_zendesk_export.py::a_foreign_after_url",
    ),
    Trap(
        "13 a credential that leaves the desk",
        SESSION,
        'if Origin.of(request.url or "") != self.origin:',
        "if False:",
        f"{U}/test_http.py::nothing_is_sent_to_another",
    ),
    Trap(
        "13 a redirect",
        SESSION,
        "allow_redirects=False)",
        "allow_redirects=True)",
        f"{U}/test_http.py::a_redirect_is_not_followed",
    ),
    Trap(
        "14 Zendesk: zenpy logs ticket text",
        f"{ZENDESK}/client.py",
        'logging.getLogger("zenpy").setLevel(logging.WARNING)',
        'logging.getLogger("zenpy").setLevel(logging.DEBUG)',
        f"{C}/test_zendesk.py::no_log_record_holds",
    ),
    Trap(
        "15 Zendesk: two threads share a zenpy",
        f"{ZENDESK}/client.py",
        "self._mine = threading.local()",
        'self._mine = type("Shared", (), {})()',
        f"{C}/test_zendesk_writing.py::each_thread_has_a_zenpy",
    ),
    Trap(
        "15 Zendesk: an object that was sent once, and refused, is sent again",
        f"{ZENDESK}/client.py",
        "ticket = ZenpyTicket(id=int(ticket_id))",
        'ticket = self.__dict__.setdefault("kept", ZenpyTicket(id=int(ticket_id)))',
        f"{C}/test_zendesk_writing.py::a_thread_that_met_a_409",
    ),
    Trap(
        "Zendesk: a key that is ignored is told in a header only",
        f"{ZENDESK}/client.py",
        '        self._session.hooks["response"].append(_refuse_ignored)\n',
        "",
        f"{C}/test_zendesk_writing.py::a_yes_that_ignored_a_key",
    ),
    Trap(
        "Request Tracker: a refusal with status 200",
        f"{RT}/adapter.py",
        "if ignored and not (by_somebody and after.revision != present.revision):",
        "if False:",
        f"{C}/test_rt_writing.py::a_yes_that_refused",
    ),
    Trap(
        "ServiceNow: a field that is dropped without a word",
        f"{SERVICENOW}/adapter.py",
        "        if as_before:\n",
        "        if False:\n",
        f"{C}/test_servicenow_writing.py::without_a_right",
    ),
    Trap(
        "Zendesk: an assignee outside the ticket's group",
        f"{ZENDESK}/adapter.py",
        'if agent and not changes.get("group_id"):',
        "if False:",
        f"{C}/test_zendesk_writing.py::together_with_a_group",
    ),
    Trap(
        "Zendesk: the export refuses a start within the last minute",
        f"{ZENDESK}/adapter.py",
        "latest = int(self._clock.now().timestamp()) - START_BACK",
        "latest = int(self._clock.now().timestamp())",
        f"{C}/test_zendesk.py::a_quiet_desk",
    ),
    Trap(
        "Zendesk: the export's own limit is shown in no header",
        f"{ZENDESK}/client.py",
        "        self._pacer.wait()\n",
        "",
        f"{C}/test_zendesk_export.py::keep_the_pace",
    ),
    Trap(
        "ServiceNow: a time zone other than GMT",
        f"{SERVICENOW}/adapter.py",
        "        self._require_utc(me)\n",
        "",
        f"{C}/test_servicenow_changes.py::in_another_zone",
    ),
    Trap(
        "ServiceNow: a reference as an object",
        f"{SERVICENOW}/query.py",
        '        if "value" in value:\n            return text_of(value["value"])\n',
        "",
        f"{C}/test_servicenow_reading.py::in_every_shape",
    ),
    Trap(
        "ServiceNow: version 1 answers an empty list with 404",
        f"{SERVICENOW}/client.py",
        '_API = "/api/now/v2/table"',
        '_API = "/api/now/v1/table"',
        f"{C}/test_servicenow.py::ids_that_do_not_exist or a_quiet_desk",
    ),
    Trap(
        "ServiceNow: the header Accept is mandatory",
        f"{SERVICENOW}/client.py",
        'self._session.headers["Accept"] = "application/json"',
        'self._session.headers["Accept"] = None',
        f"{C}/test_servicenow.py::a_write_sets_the_fields",
    ),
    Trap(
        "ServiceNow: a sleeping instance answers 200 with HTML",
        SESSION,
        "    if not isinstance(body, dict):\n        raise Retry",
        "    if not isinstance(body, dict):\n        return {}\n        raise Retry",
        f"{U}/test_http.py::only_a_json_object",
    ),
    Trap(
        "ServiceNow: a token that ends while it is used",
        f"{SERVICENOW}/client.py",
        "if not self._credential.renew():",
        "if True:",
        f"{C}/test_servicenow_limits.py::is_renewed_once",
    ),
    Trap(
        "Request Tracker: a merged ticket answers under its new number",
        f"{RT}/adapter.py",
        "if id_of(raw) != ticket.id:",
        "if False:",
        f"{C}/test_rt_reading.py::a_merged_ticket",
    ),
    Trap(
        "Request Tracker: mail and comments are transactions too",
        f"{RT}/client.py",
        'SILENT = ("Comment", "CommentEmailRecord", "EmailRecord")',
        'SILENT = ("Nothing",)',
        f"{C}/test_rt_reading.py::mail_and_internal_comments",
    ),
)
