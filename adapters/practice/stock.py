"""What the practice desks of all platforms come with: labels to choose from, groups, secrets."""

import secrets
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime

from connector.model import Secret

CATEGORIES = ("hardware", "software", "network", "security", "account", "service_request")
SENTIMENTS = ("negative", "neutral", "positive")
PRODUCTS = ("laptop", "telephone", "printer", "server")


def utc_now() -> datetime:
    """Give the time, which is a practice desk's clock unless it is given another."""
    return datetime.now(UTC)


def new_secret() -> Secret:
    """Make a secret that nobody can guess."""
    return Secret(secrets.token_urlsafe(30))


def group_names(
    first: str, groups: Iterable[str], agents: Iterable[Mapping[str, str]]
) -> tuple[str, ...]:
    """Name every group once: the one into which tickets arrive, those told of, the agents'."""
    return tuple(dict.fromkeys([first, *groups, *(agent["group"] for agent in agents)]))
