"""What a tenant file says to reach the practice desk, in each of its dialects."""

from collections.abc import Mapping
from typing import Any

from adapters.practice.stock import PRODUCTS, SENTIMENTS
from adapters.rest.sandbox.state import ACCOUNT

KEY_NAME, HOOK_NAME = "sandbox.rest-key", "sandbox.rest-webhook"
MODERN, PLAIN = "v2", "plain"

_PRIORITY_NAMES = ["low", "normal", "high", "urgent"]


def desk_options(base: str, dialect: str) -> dict[str, Any]:
    """Give the `desk` section for a sandbox at `base`; raises `KeyError`."""
    return {
        "platform": "rest",
        "url": f"{base}/{dialect}",
        "account": ACCOUNT,
        "key": f"secret:{KEY_NAME}",
        **DIALECTS[dialect],
    }


def _custom(number: str) -> dict[str, Any]:
    return {
        "at": "/custom_fields",
        "where": {"id": number},
        "value": "/value",
        "write": {"ticket": {"custom_fields": [{"id": int(number), "value": "{value}"}]}},
    }


_V2: Mapping[str, Any] = {
    "auth": {"kind": "bearer"},
    "identity": {"path": "/me", "account": "/user/email", "name": "/user/name"},
    "pages": {"by": "number", "parameter": "page", "size_parameter": "per_page", "size": 100},
    "tickets": {
        "path": "/tickets",
        "items": "/tickets",
        "query": {"sort": "updated_at"},
        "complete": True,
    },
    "changes": {"by": "updated", "parameter": "updated_since"},
    "ticket": {
        "path": "/tickets/{id}",
        "item": "/ticket",
        "id": "/id",
        "subject": "/subject",
        "body": "/description",
        "requester": "/requester/email",
        "created": "/created_at",
        "updated": "/updated_at",
        "status": "/status",
        "resolved": ["solved", "closed"],
        "deleted": ["deleted"],
        "group": "/group_id",
        "assignee": "/assignee_id",
        "web": "https://desk.example/agent/tickets/{id}",
    },
    "messages": {
        "path": "/tickets/{id}/messages",
        "items": "/messages",
        "id": "/id",
        "body": "/body",
        "author": "/author/email",
        "created": "/created_at",
        "public": "/public",
        "first_is_body": True,
    },
    "fields": {
        "category": {
            **_custom("101"),
            "kind": "choice",
            "choices": {"path": "/categories", "items": "/categories", "value": "/slug"},
        },
        "priority": {"at": "/priority", "kind": "choice", "options": _PRIORITY_NAMES},
        "sentiment": {**_custom("102"), "kind": "choice", "options": list(SENTIMENTS)},
        "assignee": {**_custom("103"), "title": "Suggested assignee"},
        "products": {**_custom("104"), "kind": "choices", "options": list(PRODUCTS)},
    },
    "tags": {"at": "/tags"},
    "staff": {
        "groups": {"path": "/groups", "items": "/groups", "id": "/id", "name": "/name"},
        "agents": {
            "path": "/agents",
            "items": "/agents",
            "id": "/id",
            "name": "/name",
            "email": "/email",
            "groups": "/group_ids",
        },
    },
    "write": {"method": "PATCH", "condition": "etag"},
    "webhook": {
        "header": "X-Desk-Signature",
        "prefix": "sha256=",
        "signed": "{timestamp}.{body}",
        "timestamp_header": "X-Desk-Timestamp",
        "ticket": "/ticket/id",
        "delivery": "/delivery",
    },
}

_PLAIN: Mapping[str, Any] = {
    "auth": {"kind": "basic"},
    "identity": {"path": "/whoami", "account": "/login"},
    "pages": {"by": "offset", "parameter": "offset", "size_parameter": "limit", "size": 100},
    "tickets": {"path": "/items"},
    "changes": {"by": "id"},
    "ticket": {
        "path": "/items/{id}",
        "id": "/no",
        "subject": "/title",
        "requester": "/by",
        "created": "/opened",
        "status": "/state",
        "resolved": ["solved", "closed"],
        "group": "/team",
        "assignee": "/owner",
    },
    "messages": {
        "path": "/items/{id}/log",
        "items": "/entries",
        "id": "/key",
        "body": "/text",
        "author": "/from",
        "order": "newest_first",
        "private": "/internal",
        "first_is_body": True,
    },
    "fields": {
        "category": {
            "at": "/cat",
            "kind": "choice",
            "options": ["hardware", "software", "network", "security", "account"],
        },
        "priority": {
            "at": "/prio",
            "kind": "choice",
            "values": {"": 0, "low": 1, "normal": 2, "high": 3, "urgent": 4},
        },
        "sentiment": {"at": "/mood", "kind": "choice", "options": list(SENTIMENTS)},
        "assignee": {"at": "/suggested"},
        "products": {"at": "/products", "kind": "choices", "options": list(PRODUCTS)},
    },
    "tags": {"at": "/labels", "separator": ","},
    "staff": {
        "groups": {"path": "/teams", "id": "/id", "name": "/label", "members": "/staff"},
        "agents": {"path": "/people", "id": "/id", "name": "/label", "email": "/mail"},
    },
    "write": {"method": "PUT"},
    "webhook": {
        "check": "secret",
        "header": "X-Desk-Secret",
        "ticket": "/item/no",
        "time": "/at",
        "delivery": "/event",
    },
}

DIALECTS: Mapping[str, Mapping[str, Any]] = {MODERN: _V2, PLAIN: _PLAIN}
