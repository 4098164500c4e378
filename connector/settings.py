"""What a daemon and its tenants can be told: one model, the source of validation and reference."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    ValidationError,
    WrapValidator,
)
from pydantic_core import PydanticCustomError
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from connector.model import Aspect, Mode, TenantId
from connector.ports import BundleName, SecretName, StandsFor
from connector.rulebook import Rulebook
from connector.section import Section, Texts

MOST_PORT = 65535

TENANT_NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
"""What may stand in an address and in a file's name."""

LONGEST_POLL = timedelta(days=1)
SHORTEST_POLL = timedelta(milliseconds=100)
"""Less would only make the scheduler busy; how often a desk may be asked is its adapter's pace."""

_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")


def _duration(value: object) -> timedelta:
    match = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise PydanticCustomError("duration", "write a number and a unit, such as 30s, 5m or 1h")
    try:
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    except OverflowError:
        raise PydanticCustomError(
            "duration", "write a shorter time, such as 30s, 5m or 1h"
        ) from None


Duration = Annotated[
    timedelta,
    BeforeValidator(_duration, json_schema_input_type=Annotated[str, Field(pattern=_DURATION)]),
]


def _interval(value: timedelta) -> timedelta:
    if not SHORTEST_POLL <= value <= LONGEST_POLL:
        raise PydanticCustomError("interval", "write 100ms or more, and at most 1d")
    return value


def _address(value: str) -> str:
    host, _, port = value.rpartition(":")
    try:
        ip_address(host.strip("[]"))
    except ValueError:
        host = ""
    if not host or int(port) > MOST_PORT:
        raise PydanticCustomError("listen", "write IP-ADDRESS:PORT, the port up to 65535")
    return value


SQLITE = "sqlite"
"""The store that every daemon can have to itself."""

POSTGRESQL = "postgresql+psycopg"


def _store(value: str) -> str:
    if value == SQLITE:
        return value
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        url = None
    if url is None or url.drivername != POSTGRESQL or not url.database:
        raise PydanticCustomError(
            "store", "write sqlite, or postgresql+psycopg://USER@HOST/DATABASE"
        )
    if url.password is not None or "password" in url.query:
        raise PydanticCustomError(
            "secret_in_clear", "leave the password out, and name a secret in store_password"
        )
    return value


StoreUrl = Annotated[str, AfterValidator(_store)]


def _threads(value: object, validate: Callable[[object], int | str]) -> int | str:
    """Say once what is wrong: a union would complain of each of its sides."""
    try:
        return validate(value)
    except ValidationError:
        raise PydanticCustomError("threads", "write auto or a number from 1 to 256") from None


Threads = Annotated[Literal["auto"] | Annotated[int, Field(ge=1, le=256)], WrapValidator(_threads)]


_PERCENT = re.compile(r"(\d{1,2}(?:\.\d+)?) ?%")

MOST_HELD = 50
"""Of a hundred tickets: more would be left to people than triaged."""


def _share(value: object) -> object:
    """Read a number of a hundred, written as people do."""
    number = _PERCENT.fullmatch(value) if isinstance(value, str) else None
    if number is not None and float(number[1]) <= MOST_HELD:
        return float(number[1]) / 100
    raise PydanticCustomError("share", "write a share from 0% to 50%, such as 5%")


Share = Annotated[
    float,
    BeforeValidator(_share, json_schema_input_type=Annotated[str, Field(pattern=_PERCENT)]),
]


class Web(Section):
    """Where webhooks, health and metrics are served."""

    listen: Annotated[str, AfterValidator(_address)] = Field(
        default="127.0.0.1:8470", pattern=r"^.+:\d{1,5}$"
    )
    """Host and port. Loopback by default: put a reverse proxy with TLS in front of it."""

    @property
    def host(self) -> str:
        """Give the address without its port."""
        return self.listen.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """Give the port; 0 lets the system choose one."""
        return int(self.listen.rpartition(":")[2])


class Models(Section):
    """Which model answers, and how much of the machine it may use."""

    bundle: Path | None = None
    """A bundle's folder, for the tenants that name no `bundle`. Without it they are answered by the
    one that comes with triaged."""
    directory: Path | None = None
    """Where promoted bundles are kept, `models` in the state directory unless given."""
    trusted_keys: tuple[Path, ...] = ()
    """Files with Ed25519 public keys (PEM). When there are any, only bundles that one of them
    signed are taken, and the one that comes with triaged."""
    threads: Threads = "auto"
    """Texts that are read at the same time; `auto` leaves one core to the host."""


def _at_least(days: int) -> AfterValidator:
    def check(value: timedelta) -> timedelta:
        if value < timedelta(days=days):
            raise PydanticCustomError("retention", "write {days}d or more", {"days": days})
        return value

    return AfterValidator(check)


class Retention(Section):
    """How long things are kept in the store. Nothing of it is a ticket's text."""

    finished: Annotated[Duration, _at_least(7)] = timedelta(days=90)
    """Rows of the inbox that are done or superseded: that a ticket was looked at, and when. At
    least 7d: by them a change that a poll reports twice is known."""
    decisions: Annotated[Duration, _at_least(30)] = timedelta(days=730)
    """What was decided and written, with the value that was replaced. A ticket that changes after
    that is decided anew, and the values on it count as a person's."""
    cases: Annotated[Duration, _at_least(30)] = timedelta(days=365)
    """Resolved tickets that suggestions of an assignee compare with, since their last change."""


class DaemonSettings(Section):
    """`triaged.yaml`: what all tenants share."""

    state: Path = Path("/var/lib/triaged")
    """The directory of the database; one daemon at a time owns it."""
    store: StoreUrl = SQLITE
    """Where work is kept: `sqlite`, a file in the state directory, or
    `postgresql+psycopg://USER@HOST/DATABASE`, which several daemons may share."""
    store_password: SecretName | None = None
    """The name of the secret that is the database user's password, where it has one."""
    tenants: str = "tenants/*.yaml"
    """The tenant files, relative to this file; one tenant each."""
    web: Web = Web()
    models: Models = Models()
    retention: Retention = Retention()

    @property
    def shelf(self) -> Path:
        """Give the directory of promoted bundles."""
        return self.models.directory or self.state / "models"


class Webhook(Section):
    """How a desk's webhook calls are verified."""

    secret: SecretName
    """The name, in the keyring, of the secret that the desk signs with."""
    previous_secret: SecretName | None = None
    """While the secret is changed: the name of the one that calls may still be signed with."""
    backlog: int = Field(default=100_000, ge=1)
    """Open tickets of the tenant from which on calls are answered 503, so that the desk keeps them
    and tries again. 100,000 are hours of work: a desk that sends more has a loop or a flood."""


class Intake(Section):
    """How the daemon hears of new and changed tickets; polling is the one that loses nothing."""

    poll: Annotated[Duration, AfterValidator(_interval)] = timedelta(seconds=60)
    """The time between two looks at the desk's stream of changes, at least 100ms."""
    webhook: Webhook | None = None
    """Take webhooks at `POST /hooks/{tenant}` too: faster, but only a hint."""


class OwnLabel(Section):
    """One of your labels: words that describe it, or what it is called in the bundle."""

    words: Texts = ()
    """Words that describe it in your users' languages."""
    stands_for: Texts = ()
    """The labels of the bundle that it stands for: one renames, several merge. Where two of yours
    stand for the same one, it is split between them by their words."""


def _own_label(value: object) -> object:
    return {"words": value} if isinstance(value, str | list | tuple) else value


Own = Annotated[OwnLabel, BeforeValidator(_own_label, json_schema_input_type=Texts | OwnLabel)]


class ClassSettings(Section):
    """Where one class is answered otherwise than the rest of its aspect."""

    mode: Mode | None = None
    """How far this class may go; the aspect's `mode` unless given."""
    precision: float | None = Field(default=None, ge=0, le=1)
    """How many of 100 values of this class have to be right, as a share; the aspect's `precision`
    unless given."""


class AspectSettings(Section):
    """How one aspect is answered, and where the answer goes."""

    field: str = Field(min_length=1)
    """The desk's field: a system field by name, a custom one by id, or `tags`."""
    mode: Mode = Mode.SHADOW
    """`off`, `shadow` (recorded only), `suggest` (an internal tag), `auto` (the field)."""
    precision: float = Field(default=0.0, ge=0, le=1)
    """How many of 100 written values have to be right, as a share: 0.95. A bundle that learnt from
    your history holds, by label, what it can promise; with any other it is the lowest confidence.
    0 leaves it to the model."""
    labels: dict[str, Own] = Field(default_factory=dict)
    """Your own labels. Category only: each with words that describe it in your users' languages.
    Any aspect: `{stands_for: […]}` renames, merges or splits labels that the bundle learnt, without
    training; those that no label stands for keep their names."""
    values: dict[str, str] = Field(default_factory=dict)
    """What is written for a label where the desk's option is called otherwise."""
    classes: dict[str, ClassSettings] = Field(default_factory=dict)
    """The classes that are to go less far, or further, than the others; each by its label."""
    treat_as_empty: tuple[str, ...] = ()
    """Values that a desk fills in by itself, such as `normal`, which nobody chose."""

    @property
    def described(self) -> Mapping[str, tuple[str, ...]]:
        """Give the labels that are told apart by words alone, instead of the bundle's."""
        return {name: own.words for name, own in self.labels.items() if not own.stands_for}

    @property
    def names(self) -> Mapping[str, StandsFor]:
        """Give the own names for the bundle's labels."""
        return {
            name: StandsFor(labels=own.stands_for, words=own.words)
            for name, own in self.labels.items()
            if own.stands_for
        }


class Aspects(Section):
    """The questions that are answered for a tenant; one that is left out is off."""

    category: AspectSettings | None = None
    priority: AspectSettings | None = None
    sentiment: AspectSettings | None = None
    assignee: AspectSettings | None = None

    def active(self) -> Iterator[tuple[Aspect, AspectSettings]]:
        """Yield each aspect that is on, with its settings."""
        for aspect in Aspect:
            settings: AspectSettings | None = getattr(self, aspect)
            if settings is not None and settings.mode is not Mode.OFF:
                yield aspect, settings


class AssignSettings(Section):
    """What a suggested assignee depends on, beside who resolved similar tickets."""

    half_life: Annotated[Duration, _at_least(1)] = timedelta(days=90)
    """The age at which a resolved ticket counts half. On two public histories 90 days did better
    than none and than 30."""
    load: float = Field(default=0.5, ge=0, le=5)
    """How much open tickets count: with 1, somebody with as many as the others of the group have in
    the mean keeps half of their votes; 0 looks at skill alone, and buries the most skilled."""
    most_open: float = Field(default=3.0, gt=1)
    """Times what the others of the group have open in the mean, above which somebody comes last."""
    away: Texts = ()
    """Ids or mail addresses of people who are not to be suggested for now."""


class BrakeSettings(Section):
    """What stops triaged when it writes more than can be meant."""

    writes_per_hour: int = Field(default=2000, ge=1)
    """Tickets that may be written to within an hour. With the next one the tenant is stopped until
    `triaged brake release`; its tickets wait. 2,000 are more than most desks get in their busiest
    hour: set it to three times yours, and think of what comes in after a night without network."""


class WhySettings(Section):
    """Whether a ticket tells what its answers rest on: the words that mattered, three similar
    resolved tickets, the confidence and the bundle. The requester never sees it.
    """

    note: bool = False
    """Leave an internal note (Zendesk), work note (ServiceNow) or comment (Request Tracker), once
    for each thing that the requester says and that something is set for."""
    field: str | None = Field(default=None, min_length=1)
    """The id of a text field of its own that takes the same as JSON, for programs. It is
    overwritten; make it for 2,000 characters."""

    @property
    def is_wanted(self) -> bool:
        """Whether anything of it is to be left."""
        return self.note or self.field is not None


class TenantSettings(Section):
    """`tenants/NAME.yaml`: one organisation's desk and how it is triaged."""

    tenant: str = Field(pattern=TENANT_NAME)
    """The tenant's name in addresses, logs and reports."""
    desk: Any
    """The platform, its address and credential; the keys depend on `platform`."""
    bundle: BundleName | None = None
    """The name of the promoted bundle that answers; see `triaged models list`. Without it the one
    that `models.bundle` says."""
    intake: Intake = Intake()
    holdout: Share = 0.0
    """The share of tickets that are predicted and left to people, such as 5%: the only measure that
    our own answers do not colour. They are drawn by a hash of the ticket's number."""
    aspects: Aspects
    rules: Rulebook = Rulebook()
    assign: AssignSettings = AssignSettings()
    brake: BrakeSettings = BrakeSettings()
    why: WhySettings = WhySettings()

    @property
    def id(self) -> TenantId:
        """Give the tenant's name as the key that the store uses."""
        return TenantId(self.tenant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Configuration:
    """All settings of a daemon, valid as a whole."""

    daemon: DaemonSettings
    tenants: tuple[TenantSettings, ...]
