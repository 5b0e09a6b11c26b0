"""Sender domains with their keys, and their records in the DNS, for the commands that show them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqlalchemy import Connection

from smtpeter.advising import Advisor, Examined
from smtpeter.cli.asking import today
from smtpeter.cli.command import Operator
from smtpeter.dns.checking import Checked, Status
from smtpeter.message.dkimkeys import DkimKey
from smtpeter.store import accounts, dkimkeys, domains
from smtpeter.store.accounts import Account
from smtpeter.store.domains import SenderDomain
from smtpeter.values import frozen

_MARKS = {each: each.value.ljust(max(len(other.value) for other in Status)) for each in Status}


@frozen
class KnownDomain:
    """
    A sender domain with what belongs to it.

    Attributes:
        keys: its own, by selector.
    """

    domain: SenderDomain
    account: Account
    keys: dict[str, DkimKey]


def named_domain(
    connection: Connection, name: str, email: str | None
) -> tuple[SenderDomain, Account]:
    """
    The domain that an operator names, and whose it is.

    Args:
        email: of the account; None for the one that has it approved, or the only one that has it.

    Raises:
        UnknownDomain, UnknownAccount: there is none.
    """
    owner = accounts.existing_account(connection, email) if email else None
    domain = domains.named_domain(connection, name, owner.id if owner else None)
    account = owner or accounts.account_by_id(connection, domain.account_id)
    assert account is not None
    return domain, account


def known_domain(operator: Operator, name: str, email: str | None = None) -> KnownDomain:
    """The same with its keys; it gets them when it has none yet."""
    with operator.database() as database:
        with database.connect() as connection:
            domain, account = named_domain(connection, name, email)
            stored = dkimkeys.own_keys(connection, domain)
        if not stored:
            made = dkimkeys.new_keys()
            with database.begin() as connection:
                domain = dkimkeys.add_own_keys(connection, domain, made, operator.now())
                stored = dkimkeys.own_keys(connection, domain)
    return KnownDomain(domain, account, {each: stored[each].key for each in stored})


def examined(operator: Operator, known: KnownDomain, *, literally: bool = False) -> Examined:
    """
    Compare the domain with the DNS.

    Args:
        literally: without names that lead to ours.
    """
    config = operator.config()
    day = today(operator.now())
    return operator.ask(
        config,
        lambda names, clock: Advisor(config, names, day, clock).examine(
            known.domain, known.keys, known.account.pool, literally=literally
        ),
    )


def record_documents(result: Examined) -> list[dict[str, Any]]:
    """The records with their status."""
    return [
        {
            "name": each.advice.record.name,
            "type": each.advice.record.kind,
            "value": each.advice.record.value,
            "status": each.status.value,
            "found": list(each.found),
            "problem": each.problem,
        }
        for each in result.checked
    ]


def record_lines(result: Examined) -> str:
    """The same for people."""
    return "\n".join(line for each in result.checked for line in _lines(each))


def _lines(checked: Checked) -> Iterator[str]:
    record = checked.advice.record
    yield f"{_MARKS[checked.status]}  {record.name} {record.kind}"
    yield f"         {record.value}"
    if checked.problem:
        yield f"         problem: {checked.problem}"
    if checked.status is Status.WRONG:
        yield from (f"         found: {each}" for each in checked.found)
