"""
Quotas of accounts: what they may send, and what they have sent.

Functions that write run inside a transaction that the caller has opened. They may run
twice, so they touch nothing but their connection.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from operator import ge, lt
from typing import Any

from sqlalchemy import ColumnElement, Connection, Select, and_, delete, or_, select

from smtpeter.quotas import EVERYBODY, PERIODS, Planner, Quota, Slot, start_of
from smtpeter.store.statements import Upsert
from smtpeter.store.tables import quota_usage, quotas

_COUNT = Upsert(
    quota_usage,
    """
    (account_id, login, period, start)
    DO UPDATE SET messages = quota_usage.messages + excluded.messages
    """,
)
_SET = Upsert(quotas, "(account_id, login, period) DO UPDATE SET messages = excluded.messages")


def quotas_of(connection: Connection, account_id: int) -> list[Quota]:
    """The quotas of an account and of its logins."""
    return _read(connection, _chosen(account_id))


def locked_quotas(connection: Connection, account_id: int) -> list[Quota]:
    """The same; nobody else changes or counts them until the end of the transaction."""
    return _read(connection, _chosen(account_id).with_for_update())


def planner_for(connection: Connection, account_id: int, payer: str, now: float) -> Planner:
    """
    What gives places to the messages of a payer, by the quotas and counts of this moment.

    Nobody else changes or counts them until the end of the transaction.
    """
    payers = (EVERYBODY, payer)
    chosen = _chosen(account_id).where(quotas.c.login.in_(payers))
    found = _read(connection, chosen.with_for_update())
    return Planner(found, _used(connection, account_id, now, payers) if found else {})


def count(connection: Connection, account_id: int, changes: Mapping[Slot, int]) -> None:
    """Add to the counts what a planner says."""
    rows = [
        {
            "account_id": account_id,
            "login": slot.payer,
            "period": slot.period,
            "start": slot.start,
            "messages": number,
        }
        for slot, number in changes.items()
        if number
    ]
    if rows:
        connection.execute(_COUNT, rows)


def usage(connection: Connection, account_id: int, now: float) -> dict[Slot, int]:
    """How many messages are counted, in the periods that are not over."""
    return _used(connection, account_id, now)


def write(
    connection: Connection, account_id: int, payer: str, wanted: Mapping[str, int | None]
) -> None:
    """Write down quotas by their periods, and remove those that are None with what they count."""
    key = {"account_id": account_id, "login": payer}
    kept = [
        {**key, "period": period, "messages": messages}
        for period, messages in wanted.items()
        if messages is not None
    ]
    if kept:
        connection.execute(_SET, kept)
    gone = [period for period, messages in wanted.items() if messages is None]
    for table in (quotas, quota_usage) if gone else ():
        connection.execute(
            delete(table).where(
                table.c.account_id == account_id, table.c.login == payer, table.c.period.in_(gone)
            )
        )


def forget_old(connection: Connection, now: float) -> None:
    """Remove the counts of periods that are over."""
    connection.execute(delete(quota_usage).where(_begun(lt, now)))


def _chosen(account_id: int) -> Select[Any]:
    return (
        select(quotas.c.login, quotas.c.period, quotas.c.messages)
        .where(quotas.c.account_id == account_id)
        .order_by(quotas.c.login, quotas.c.period)
    )


def _read(connection: Connection, chosen: Select[Any]) -> list[Quota]:
    return [Quota(*row) for row in connection.execute(chosen)]


def _used(
    connection: Connection, account_id: int, now: float, payers: Sequence[str] | None = None
) -> dict[Slot, int]:
    """What is counted in periods that are not over: for some payers, or for all."""
    column = quota_usage.c
    chosen = [column.account_id == account_id, _begun(ge, now)]
    if payers is not None:
        chosen.append(column.login.in_(payers))
    query = select(column.login, column.period, column.start, column.messages).where(*chosen)
    return {Slot(*row[:3]): row[3] for row in connection.execute(query)}


def _begun(compared: Callable[[Any, Any], ColumnElement[bool]], now: float) -> ColumnElement[bool]:
    """How the start of a period compares with that of the one of its kind that is now."""
    column = quota_usage.c
    return or_(
        *(
            and_(column.period == period, compared(column.start, start_of(period, now)))
            for period in PERIODS
        )
    )
