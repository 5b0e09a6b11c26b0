"""
What waits for its quota is given new places when quotas change, and leaves its own when it ends.

It runs inside a transaction that the caller has opened.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from sqlalchemy import Connection, bindparam, insert, select, update

from smtpeter.quotas import EVERYBODY, Planner, WaitTooLong
from smtpeter.store import accounts, quotas
from smtpeter.store.accounts import AccountsError
from smtpeter.store.messages import IS_WAITING
from smtpeter.store.settings import token_name
from smtpeter.store.tables import messages, nudges, submissions
from smtpeter.values import frozen

# Default times of delivery end so close to where they are expected.
ROUNDING_SECONDS = 1.0
LONGEST_YEARS = 100  # that anything can be put off
_YEAR_SECONDS = 366 * 86_400.0

_SET_DUE = (
    update(messages)
    .where(messages.c.id == bindparam("message"), IS_WAITING)
    .values(due=bindparam("new_due"))
)
_SET_DELIVER_BY = (
    update(submissions)
    .where(submissions.c.key == bindparam("submission"))
    .values(deliver_by=bindparam("new_deliver_by"))
)


@frozen
class _Held:
    """A message that waits for its quota. Times are seconds since the epoch."""

    id: str
    submission: int
    destination: str
    payer: str
    due: float
    deliver_by: float


def change(
    connection: Connection,
    account_id: int,
    payer: str,
    wanted: Mapping[str, int | None],
    now: float,
    lifetime_seconds: float,
) -> int:
    """
    Change the quotas of a payer, and give what waits new places by them.

    Counting begins with a quota, and ends with it.

    Args:
        wanted: how many messages, by the period; None for no quota any more.
        lifetime_seconds: how long messages are tried that do not say it themselves.

    Returns:
        How many messages are due at another time than before.

    Raises:
        AccountsError: something that waits would go after `LONGEST_YEARS`.
    """
    before = Planner(quotas.locked_quotas(connection, account_id), {})
    held = list(_held(connection, account_id, now))
    for each in held:
        if each.due <= each.deliver_by:
            before.take_back(each.payer, each.due)
    quotas.count(connection, account_id, before.changes)
    quotas.write(connection, account_id, payer, wanted)
    after = Planner(
        quotas.quotas_of(connection, account_id),
        quotas.usage(connection, account_id, now),
        LONGEST_YEARS * _YEAR_SECONDS,
    )
    try:
        moved = _placed_anew(connection, held, after, now, lifetime_seconds)
    except WaitTooLong:
        raise AccountsError(
            f"{len(held)} messages wait, and would take more than {LONGEST_YEARS} years: "
            "set a higher quota, or cancel some of them"
        ) from None
    quotas.count(connection, account_id, after.changes)
    return moved


def leave_places(connection: Connection, account_id: int, rows: Iterable[Any], now: float) -> None:
    """
    Messages of an account shall not go at all: those that wait for their quota count no more.

    Args:
        rows: of messages that wait, with the origin, the login and the end of their submissions.
    """
    held = [row for row in rows if row.due > now and not row.attempts and row.attempted is None]
    if not held:
        return
    planner = Planner(quotas.locked_quotas(connection, account_id), {})
    payers = payer_names(connection, account_id)
    for row in held:
        if row.due <= row.deliver_by:
            planner.take_back(payers.get((row.origin, row.login), EVERYBODY), row.due)
    quotas.count(connection, account_id, planner.changes)


def _held(connection: Connection, account_id: int, now: float) -> Iterator[_Held]:
    """
    The messages of an account that wait for their quota, in the order they were handed in.

    Nothing else puts off a message before its first attempt.
    """
    payers = payer_names(connection, account_id)
    query = (
        select(
            messages.c.id,
            messages.c.submission,
            messages.c.destination,
            messages.c.due,
            submissions.c.origin,
            submissions.c.login,
            submissions.c.deliver_by,
        )
        .join(submissions, submissions.c.key == messages.c.submission)
        .where(
            IS_WAITING,
            messages.c.account == account_id,
            messages.c.due > now,
            messages.c.attempts == 0,
            messages.c.attempted.is_(None),
        )
        .order_by(messages.c.submission, messages.c.due)
    )
    for row in connection.execute(query):
        payer = payers.get((row.origin, row.login), EVERYBODY)
        yield _Held(row.id, row.submission, row.destination, payer, row.due, row.deliver_by)


def payer_names(connection: Connection, account_id: int) -> dict[tuple[str, str], str]:
    """The payers of an account, each by the origin and the login that its submissions name."""
    found: dict[tuple[str, str], str] = {}
    account = accounts.account_by_id(connection, account_id)
    if account is not None:
        found["smtp", account.email] = f"account:{account.id}"
    for login in accounts.logins(connection, account_id):
        found["smtp", login.username] = f"login:{login.id}"
    tokens = accounts.tokens(connection, account_id)
    # Of two tokens that ever had one name, it is that of whoever has it now.
    for token in sorted(tokens, key=lambda each: each.revoked is not None):
        found.setdefault(("rest", token.name), f"token:{token.id}")
    for token in tokens:
        for label in ("", *token.former_labels):
            found.setdefault(("rest", token_name(token.id, label)), f"token:{token.id}")
    return found


def _placed_anew(
    connection: Connection,
    held: Iterable[_Held],
    planner: Planner,
    now: float,
    lifetime_seconds: float,
) -> int:
    moved: list[tuple[_Held, float]] = []
    ends: list[dict[str, float]] = []
    for submission, group in groupby(held, key=lambda each: each.submission):
        of_one = list(group)
        deliver_by = of_one[0].deliver_by
        usual = max(each.due for each in of_one) + lifetime_seconds
        own = abs(deliver_by - usual) > ROUNDING_SECONDS  # the client's
        latest = deliver_by if own else math.inf
        places = [planner.place(each.payer, now, latest).due for each in of_one]
        moved += [(each, due) for each, due in zip(of_one, places, strict=True) if due != each.due]
        end = max(places) + lifetime_seconds
        if not own and end != deliver_by:
            ends.append({"submission": submission, "new_deliver_by": end})
    if ends:
        connection.execute(_SET_DELIVER_BY, ends)
    if moved:
        rows = [{"message": each.id, "new_due": due} for each, due in moved]
        connection.execute(_SET_DUE, rows)
        concerned = sorted({each.destination for each, _ in moved})
        connection.execute(
            insert(nudges), [{"destination": each, "created": now} for each in concerned]
        )
    return len(moved)
