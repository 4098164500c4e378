"""Who works on a Request Tracker, and what may go wrong there for want of a right."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

from adapters.rt.catalog import Catalog, Json, id_of
from adapters.rt.client import RtClient
from adapters.rt.config import RequestTrackerDesk
from connector.errors import Rejected
from connector.model import Agent, Group, Staff

RECENT_TRANSACTIONS = 2000
"""How far back mail is looked for that RT sent because of triage: some days of a busy desk."""

NAMED = 5
"""Fields or queues that a warning names; more would hide the other warnings."""


def staff_of(client: RtClient, catalog: Catalog, teams: Mapping[str, Sequence[str]]) -> Staff:
    """Read who works on each queue: as `teams` says, else its AdminCc with their groups' members.

    A group whose members we may not read is left out; so is a user whom the desk does not know.
    """
    served: dict[str, list[str]] = {}
    for queue, name in catalog.queues.items():
        for person in teams[name] if name in teams else _admin_ccs(client, queue):
            served.setdefault(person, []).append(queue)
    agents: dict[str, Agent] = {}
    for person, queues in served.items():
        agent = _agent(client, person, queues)
        if agent is not None:
            before = agents.get(agent.id)
            joined = (*before.groups, *agent.groups) if before else agent.groups
            agents[agent.id] = Agent(
                id=agent.id,
                name=agent.name,
                email=agent.email,
                groups=tuple(dict.fromkeys(joined)),
            )
    groups = tuple(Group(id=queue, name=name) for queue, name in catalog.queues.items())
    return Staff(groups=groups, agents=tuple(agents.values()))


def _admin_ccs(client: RtClient, queue: str) -> list[str]:
    """List names and numbers of the users who watch a queue as AdminCc; one may be named twice."""
    found: list[str] = []
    for row in client.queue(queue).get("AdminCc") or ():
        if row.get("type") == "user":
            found.append(id_of(row))
        else:
            found += _members(client, id_of(row)) or ()
    return found


def _members(client: RtClient, group: str) -> Sequence[str] | None:
    try:
        return client.members(group)
    except Rejected:
        return None


def _agent(client: RtClient, person: str, queues: Sequence[str]) -> Agent | None:
    try:
        user = client.user(person)
    except Rejected:
        return None
    name = str(user.get("Name") or "")
    if not name or str(user.get("Disabled") or "0") == "1":
        return None
    return Agent(
        id=name,
        name=str(user.get("RealName") or name),
        email=str(user.get("EmailAddress") or ""),
        groups=tuple(queues),
    )


class Warnings:
    """What `check` tells: each is a right to give or a setting to look at."""

    def __init__(self, client: RtClient, catalog: Catalog, options: RequestTrackerDesk) -> None:
        self._client = client
        self._catalog = catalog
        self._options = options

    def all(self, address: str) -> Iterator[str]:
        """Yield every warning; `address` is our own, by which RT marks the mail that we cause."""
        if not self._catalog.queues:
            yield "no queue can be seen: give the account SeeQueue on the queues to be triaged"
            return
        newest = self._client.newest_transaction()
        if not newest:
            yield "no ticket can be seen: give the account ShowTicket, unless there is none yet"
        yield from self._fields()
        yield from self._teams()
        yield from self._mails(address, newest)

    def _fields(self) -> Iterator[str]:
        untold = [each.name for each in self._catalog.custom.values() if not each.type]
        if untold:
            yield (
                f"what {_named(untold)} may hold cannot be read, and is checked only when it is "
                "written: give the account SeeCustomField for all of RT, or on these custom fields "
                "themselves; on a queue it does not suffice"
            )
        wanted = self._options.tags_field
        if wanted and not self._catalog.tags:
            yield (
                f"desk.tags_field: {wanted!r} is no custom field of any queue that takes many free "
                "values, so nothing can be suggested"
            )
        bare = [
            name
            for queue, name in self._catalog.queues.items()
            if not self._catalog.used.get(queue)
        ]
        if bare:
            yield (
                f"queue {_named(bare)} shows no custom field: apply some, and give the account "
                "SeeCustomField"
            )

    def _teams(self) -> Iterator[str]:
        unknown = sorted(set(self._options.teams) - set(self._catalog.queues.values()))
        if unknown:
            yield f"desk.teams names {_named(unknown)}, which is no queue that can be seen"
        closed = [
            name
            for queue, name in self._catalog.queues.items()
            if name not in self._options.teams and self._has_closed_group(queue)
        ]
        if closed:
            yield (
                f"the members of a group that serves as AdminCc of {_named(closed)} cannot be "
                "read, so nobody of it is suggested: name them under desk.teams, or give the "
                "account AdminGroupMembership on that group"
            )

    def _has_closed_group(self, queue: str) -> bool:
        watchers: Iterable[Json] = self._client.queue(queue).get("AdminCc") or ()
        groups = (id_of(row) for row in watchers if row.get("type") == "group")
        return any(_members(self._client, group) is None for group in groups)

    def _mails(self, address: str, newest: int) -> Iterator[str]:
        if not self._client.sees_outgoing_mail():
            yield (
                "no mail that RT sent can be seen, so a scrip that mails when triage sets a field "
                "stays unnoticed: give the account ShowOutgoingEmail, or look by hand"
            )
            return
        after = max(newest - RECENT_TRANSACTIONS, 0)
        mails = self._client.mails_caused_by(address, after) if address else []
        if mails:
            latest = max(int(id_of(each.get("TransactionId"))) for each in mails)
            yield (
                f"RT sent mail because this account changed tickets, last with transaction "
                f"{latest}: if it went to requestors, exclude the account in that scrip's condition"
            )


def _named(names: Sequence[str]) -> str:
    more = " and others" if len(names) > NAMED else ""
    return ", ".join(repr(name) for name in islice(names, NAMED)) + more
