"""How long things are kept, table by table; what is over goes in small transactions."""

from collections.abc import Callable
from datetime import timedelta

from sqlalchemy import Connection, delete, select

from connector.model import Status
from connector.settings import Retention
from connector.store import books, brakes
from connector.store.database import Database
from connector.store.ledger import Outcome
from connector.store.schema import cases, deliveries, feedback, ledger

REPLAY_WINDOW = timedelta(hours=72)
"""For which a delivery id is remembered: longer than any platform retries a webhook."""

AT_ONCE = 500
"""Rows that go with one commit: webhooks and workers wait for no more."""


def expire(database: Database, kept: Retention, is_over: Callable[[], bool]) -> None:
    """Delete what is older than it may be; ends early, and goes on next time, when `is_over`.

    Of the ledger, decisions whose end is known, and what people made of them; of the case book,
    resolved tickets that nothing was heard of since. Nobody needs a delivery id once its call
    cannot come again, nor a count of writes after its hour.
    """
    now = database.clock.now()
    with database.write() as connection:
        brakes.expire(connection, now.timestamp())
    steps: tuple[Callable[[Connection], int], ...] = (
        lambda connection: _deliveries(connection, (now - REPLAY_WINDOW).timestamp()),
        lambda connection: books.purge(
            connection, finished_before=(now - kept.finished).timestamp(), most=AT_ONCE
        ),
        lambda connection: _decisions(connection, (now - kept.decisions).timestamp()),
        lambda connection: _answers(connection, (now - kept.decisions).timestamp()),
        lambda connection: _cases(connection, (now - kept.cases).timestamp()),
    )
    for step in steps:
        gone = AT_ONCE
        while gone == AT_ONCE and not is_over():
            with database.write() as connection:
                gone = step(connection)


def _deliveries(connection: Connection, before: float) -> int:
    old = (
        select(deliveries.c.tenant, deliveries.c.delivery)
        .where(deliveries.c.received_at < before)
        .limit(AT_ONCE)
    )
    rows = connection.execute(old).all()
    for tenant, delivery in rows:
        connection.execute(
            delete(deliveries).where(
                deliveries.c.tenant == tenant, deliveries.c.delivery == delivery
            )
        )
    return len(rows)


def _decisions(connection: Connection, before: float) -> int:
    old = (
        select(ledger.c.id)
        .where(ledger.c.planned_at < before, ledger.c.outcome != Outcome.PLANNED)
        .limit(AT_ONCE)
    )
    rows = connection.execute(old).scalars().all()
    connection.execute(delete(ledger).where(ledger.c.id.in_(rows)))
    return len(rows)


def _answers(connection: Connection, before: float) -> int:
    old = (
        select(feedback.c.tenant, feedback.c.ticket, feedback.c.aspect)
        .where(feedback.c.decided_at < before)
        .limit(AT_ONCE)
    )
    rows = connection.execute(old).all()
    for tenant, ticket, aspect in rows:
        connection.execute(
            delete(feedback).where(
                feedback.c.tenant == tenant,
                feedback.c.ticket == ticket,
                feedback.c.aspect == aspect,
            )
        )
    return len(rows)


def _cases(connection: Connection, before: float) -> int:
    old = (
        select(cases.c.tenant, cases.c.ticket)
        .where(cases.c.updated_at < before, cases.c.status != Status.OPEN)
        .limit(AT_ONCE)
    )
    rows = connection.execute(old).all()
    for tenant, ticket in rows:
        connection.execute(delete(cases).where(cases.c.tenant == tenant, cases.c.ticket == ticket))
    return len(rows)
