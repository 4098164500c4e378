"""What the core asks of adapters, classifiers and the clock: protocols, and nothing that acts."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Protocol, Self, runtime_checkable

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from connector.model import (
    Aspect,
    Cursor,
    Delivery,
    FieldInfo,
    FieldUpdate,
    Identity,
    Page,
    Past,
    Reading,
    Secret,
    Staff,
    Ticket,
    TicketId,
    TicketRef,
)


class SecretRef(str):
    """The name of a secret, told apart from other text so that a check can look it up."""

    __slots__ = ()


def _secret_name(value: str) -> str:
    name = value.removeprefix("secret:")
    if name == value or not name or not set(name) <= _SECRET_CHARACTERS:
        raise PydanticCustomError(
            "secret_in_clear",
            "write `secret:NAME` (letters, digits, . _ -) and keep the value in the keyring",
        )
    return SecretRef(name)


_SECRET_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-")

SecretName = Annotated[str, AfterValidator(_secret_name)]
"""An option that holds `secret:NAME` in a file and NAME afterwards; never the secret itself."""


SIGNATURE = "signature"
"""The file in a bundle's folder with its signature, where it has one."""
BUNDLE_NAME = r"^[a-z0-9][a-z0-9-]{0,63}$"
BUNDLE_VERSION = r"^[0-9A-Za-z][0-9A-Za-z.+-]{0,31}$"
BundleName = Annotated[str, Field(pattern=BUNDLE_NAME)]
BundleVersion = Annotated[str, Field(pattern=BUNDLE_VERSION)]
"""Both are names of folders on the shelf: none of them leads out of it."""


class Clock(Protocol):
    """The one seam to time."""

    def now(self) -> datetime:
        """Give the time of day, aware, UTC."""

    def monotonic(self) -> float:
        """Give seconds that never run backwards; only differences mean something."""

    def sleep(self, seconds: float) -> None:
        """Wait, or return sooner when the daemon is stopping."""


class Adapter(Protocol):
    """A desk, spoken to in its own language and answered in ours.

    An adapter translates: it decides nothing, retries nothing and logs no ticket text. Any method
    that calls the desk raises `Retry`, `Unauthorized` or `Rejected`. All methods may be called
    from several threads at once.
    """

    def __enter__(self) -> Self:
        """Give the adapter itself; nothing is sent to the desk yet."""

    def __exit__(self, *exc_info: object) -> None:
        """Let go of connections."""

    def check(self) -> Identity:
        """Tell who the desk says we are; raises `Unauthorized`."""

    def describe_fields(self) -> Sequence[FieldInfo]:
        """List every field that a tenant may map, system fields included."""

    def changed_since(self, cursor: Cursor | None) -> Iterator[Page[TicketRef]]:
        """Yield what changed after `cursor`, lossless and resumable from any page's cursor.

        `None` starts at the present. The iteration ends with a page that is `last`. A ticket may
        appear more than once; none may be missing.
        """

    def fetch(self, ids: Sequence[TicketId]) -> Sequence[Ticket]:
        """Read tickets as they are now, in any order; ids that no longer exist are left out."""

    def parse_webhook(self, body: bytes, headers: Mapping[str, str]) -> Delivery:
        """Verify the signature over the raw body, then read it; header names are lower-case.

        Raises `Forged` before anything of the body is parsed, `Unreadable` after.
        """

    def write(self, ticket: Ticket, updates: Sequence[FieldUpdate]) -> Ticket:
        """Set the values and give the ticket as it stands afterwards.

        Conditional on `ticket.revision`: raises `Conflict` and writes nothing when the ticket
        has changed since. Raises `Gone`, and `Rejected` also when the desk answered "yes" but
        ignored a field. Never writes a message that the requester can see.
        """

    def history(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[Ticket]]:
        """Yield tickets resolved after `since`, with the text as first filed and final values.

        Resumable: with the `cursor` of a page of an earlier walk since the same time, what came
        after that page. A ticket may come more than once; none may be missing.
        """


@runtime_checkable
class ListsStaff(Protocol):
    """The power of an adapter to tell who works on a desk."""

    def staff(self) -> Staff:
        """List assignment groups and agents."""


@runtime_checkable
class ListsBacklog(Protocol):
    """The power of an adapter to tell which tickets were left open."""

    def backlog(self, since: datetime, cursor: Cursor | None = None) -> Iterator[Page[TicketRef]]:
        """Yield tickets that are open and were filed or changed after `since`.

        Resumable as `Adapter.history` is, and names versions as `changed_since` does.
        """


@runtime_checkable
class LeavesNotes(Protocol):
    """The power of an adapter to leave a note for the agents of a desk."""

    def leave_note(self, ticket: Ticket, text: str) -> None:
        """Add plain text that agents see and the requester never does, whatever came between.

        Raises `Gone`.
        """


@runtime_checkable
class Links(Protocol):
    """The power of an adapter to say where agents see a ticket."""

    def link(self, ticket: TicketId) -> str:
        """Give the address of a ticket, whether or not it exists; nothing is asked."""


class Classifier(Protocol):
    """Texts in, readings out, for one tenant's labels."""

    def predict(self, texts: Sequence[str]) -> Sequence[Reading]:
        """Read each text once and answer every aspect; results are in the order of the texts.

        May be called from several threads at once. Never raises because of a text: what cannot
        be read is abstained on.
        """


Labels = Mapping[Aspect, Mapping[str, Sequence[str]]]
"""Per aspect, each label and the texts that describe it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StandsFor:
    """What a tenant's own label is called in the bundle.

    Where two own labels stand for the same one, `words` describe how they differ.
    """

    labels: tuple[str, ...]
    words: tuple[str, ...] = ()


Names = Mapping[Aspect, Mapping[str, StandsFor]]
"""Per aspect, own names for labels of the bundle; what no name stands for keeps its own."""
NO_NAMES: Names = MappingProxyType({})


class Engine(Protocol):
    """A loaded bundle, shared by all tenants."""

    @property
    def bundle(self) -> str:
        """Name the bundle and its version, as `name@version`."""

    def labels(self, aspect: Aspect) -> Sequence[str]:
        """List the labels that the bundle answers with when a tenant names none of its own."""

    def classifier(self, labels: Labels, names: Names = NO_NAMES) -> Classifier:
        """Give a classifier for a tenant's own labels; aspects left out use the bundle's.

        `labels` are told apart by descriptions, `names` rename, merge or split the bundle's.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an adapter may use of the world: its secrets by name, resolved late, and the clock."""

    secret: Callable[[str], Secret]
    clock: Clock


@dataclass(frozen=True, slots=True, kw_only=True)
class Platform:
    """An adapter's entry in the group `triaged.adapters`.

    `options` is the pydantic model of the tenant file's `desk:` section. `connect` makes an
    adapter from valid options. `sandbox` serves a local desk that speaks the platform's API on
    (host, port) until it is stopped, and calls back with the port once it listens.
    """

    name: str
    options: type[Any]
    connect: Callable[[Any, Surroundings], Adapter]
    sandbox: Callable[[str, int, Callable[[int], None]], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """What to learn from, and what to make of it.

    `text` names the columns of the text as first filed (of several, the first is the subject),
    `labels` the column per aspect, `time` that of the filing. Nothing new is begun that would not
    end within `minutes`. Classes of fewer than `floor` tickets are dropped.
    """

    history: Path
    output: Path
    text: tuple[str, ...]
    labels: Mapping[Aspect, str]
    time: str | None = None
    minutes: float | None = None
    seed: int = 20
    floor: int = 10
    base: str | None = None
    """A checkpoint to fine-tune too: `shipped`, a folder, or the id of a model on a hub."""
    test: Path | None = None
    """A file to measure on, with the same columns; without one, a fifth of the history is."""


Train = Callable[
    [TrainingOrder, Callable[[str, str], str], Callable[[str], None]], Mapping[str, Any]
]
"""An order, what cleans (subject, text) as serving does, and what to tell of progress; gives the
measured quality."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationOrder:
    """Which bundle's folder (`None`: the shipped one) to measure on which labelled file.

    `text` and `labels` are as in `TrainingOrder`. `ranks` gives, for labels that have an order,
    all of them from lowest to highest. `baseline` says whether TF-IDF is learnt on the file too.
    """

    bundle: str | None
    history: Path
    text: tuple[str, ...]
    labels: Mapping[Aspect, str]
    ranks: Mapping[Aspect, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    baseline: bool = True
    seed: int = 20


Evaluate = Callable[
    [EvaluationOrder, Callable[[str, str], str], Callable[[str], None], int], Mapping[str, Any]
]
"""An order, what cleans (subject, text), what to tell of progress, and the texts read at a time;
gives the figures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleOrder:
    """Which columns tell who resolved a ticket and when, and what judges suggestions of people."""

    assignee: str
    group: str
    opened_at: str
    resolved_at: str
    judge: Callable[[Sequence[Past]], Mapping[str, Any]]


@dataclass(frozen=True, slots=True, kw_only=True)
class AssessmentOrder:
    """What to learn from, and what is asked of what was learnt.

    `precision` is what is asked of an aspect, and `otherwise` of those that it leaves out.
    `options` are the values that the desk's field accepts, where it names any, and `names` the
    tenant's own names for labels. `set_at` and `resolved_at` name columns with the moment at which
    a value was set, and the ticket resolved.
    """

    training: TrainingOrder
    precision: Mapping[Aspect, float] = field(default_factory=lambda: MappingProxyType({}))
    otherwise: float = 0.95
    minutes_per_ticket: float = 2.0
    options: Mapping[Aspect, Sequence[str]] = field(default_factory=lambda: MappingProxyType({}))
    set_at: Mapping[Aspect, str] = field(default_factory=lambda: MappingProxyType({}))
    resolved_at: str | None = None
    names: Names = field(default_factory=lambda: NO_NAMES)
    people: PeopleOrder | None = None


Assess = Callable[
    [AssessmentOrder, Callable[[str, str], str], Callable[[str], str], Callable[[str], None], int],
    Mapping[str, Any],
]
"""An order, what cleans (subject, text), what masks personal data, what to tell of progress, and
the texts read at a time; gives the figures, a verdict, and what is wrong with the labels."""


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenAnswer:
    """What a bundle answered when it was made; `label` is `None` where it abstained."""

    label: str | None
    confidence: float


@dataclass(frozen=True, slots=True, kw_only=True)
class GoldenTicket:
    """A synthetic ticket, and what its bundle answered to it when it was made."""

    text: str
    answers: Mapping[Aspect, GoldenAnswer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """How good a bundle was on tickets kept aside, as far as it says so; shares lie in 0..1."""

    macro_f1: float | None = None
    linear: float | None = None
    majority: float | None = None
    tickets: int = 0
    coverage: float = 0.0
    precision: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleFacts:
    """What a verified bundle says about itself.

    `seal` is the same for the same bytes only; `files` are all that belong to the bundle.
    """

    name: str
    version: str
    created: date
    seal: str
    files: tuple[str, ...]
    labels: Mapping[Aspect, tuple[str, ...]]
    measured: Mapping[Aspect, Measured]
    golden: tuple[GoldenTicket, ...] = ()

    @property
    def title(self) -> str:
        """Name the bundle and its version, as `Engine.bundle` does."""
        return f"{self.name}@{self.version}"


Describe = Callable[[str | None], BundleFacts]
"""A bundle's folder (`None`: the shipped one) into what it is, every byte verified; raises
`BadBundle`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelKind:
    """A model package's entry in the group `triaged.classifiers`.

    `load` opens a bundle folder (`None`: the shipped one) for a number of threads and raises
    `BadBundle`. `describe` verifies a bundle without loading it. `train` makes a bundle from a
    history, `evaluate` measures one on a labelled file, and `assess` does both and judges; they
    raise `BadHistory` or `TrainingUnavailable`.
    """

    name: str
    load: Callable[[str | None, int], Engine]
    describe: Describe
    train: Train | None = None
    evaluate: Evaluate | None = None
    assess: Assess | None = None
