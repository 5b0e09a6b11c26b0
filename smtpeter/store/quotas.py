"""
Quotas of accounts: what they may send, and what they have sent.

Functions that write run inside a transaction that the caller has opened. They may run
twice, so they touch nothing but their connection.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    bindparam,
    delete,
    literal_column,
    or_,
    select,
)

from smtpeter.quotas import EVERYBODY, PERIODS, Planner, Quota, Slot, start_of
from smtpeter.store.statements import Query, Upsert
from smtpeter.store.tables import quota_usage, quotas

_COUNT = Upsert(
    quota_usage,
    """
    (account_id, login, period, start)
    DO UPDATE SET messages = quota_usage.messages + excluded.messages
    """,
)
_SET = Upsert(quotas, "(account_id, login, period) DO UPDATE SET messages = excluded.messages")


_start = quota_usage.c.start


def _of_kind(period: str) -> ColumnElement[bool]:
    return quota_usage.c.period == literal_column(f"'{period}'")


def _of_payer(table: Table) -> ColumnElement[bool]:
    return table.c.login.in_((literal_column(f"'{EVERYBODY}'"), bindparam("payer")))


# Each message of whoever has a quota asks these, so they are made once.
_QUOTAS = (
    select(quotas.c.login, quotas.c.period, quotas.c.messages)
    .where(quotas.c.account_id == bindparam("account"))
    .order_by(quotas.c.login, quotas.c.period)
)
_QUOTAS_OF_PAYER = Query(_QUOTAS.where(_of_payer(quotas)).with_for_update())
_USED = select(quota_usage.c.login, quota_usage.c.period, _start, quota_usage.c.messages).where(
    quota_usage.c.account_id == bindparam("account"),
    or_(*(_of_kind(period) & (_start >= bindparam(period)) for period in PERIODS)),
)
_USED_BY_PAYER = Query(_USED.where(_of_payer(quota_usage)))


def quotas_of(connection: Connection, account_id: int) -> list[Quota]:
    """The quotas of an account and of its logins."""
    return [Quota(*row) for row in connection.execute(_QUOTAS, {"account": account_id})]


def locked_quotas(connection: Connection, account_id: int) -> list[Quota]:
    """The same; nobody else changes or counts them until the end of the transaction."""
    locked = _QUOTAS.with_for_update()
    return [Quota(*row) for row in connection.execute(locked, {"account": account_id})]


def planner_for(connection: Connection, account_id: int, payer: str, now: float) -> Planner:
    """
    What gives places to the messages of a payer, by the quotas and counts of this moment.

    Nobody else changes or counts them until the end of the transaction.
    """
    said = {"account": account_id, "payer": payer}
    found = [Quota(*row) for row in _QUOTAS_OF_PAYER.rows(connection, said)]
    used = _USED_BY_PAYER.rows(connection, said | _starts(now)) if found else ()
    return Planner(found, {Slot(*row[:3]): row[3] for row in used})


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
    rows = connection.execute(_USED, {"account": account_id} | _starts(now))
    return {Slot(*row[:3]): row[3] for row in rows}


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
    over = or_(*(_of_kind(period) & (_start < bindparam(period)) for period in PERIODS))
    connection.execute(delete(quota_usage).where(over), _starts(now))


def _starts(now: float) -> dict[str, float]:
    """When the periods began that are not over."""
    return {period: start_of(period, now) for period in PERIODS}
