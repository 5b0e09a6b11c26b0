"""
Keys that sign mail: those of sender domains, and others that an account brings.

A sender domain has keys of its own with three selectors, so that the next one can be published
before it is used. Functions that write run inside a transaction that the caller has opened.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from attrs import evolve, field
from sqlalchemy import Connection, Select, delete, exists, func, insert, select, update

from smtpeter.domains import organizational_domain, with_parents
from smtpeter.message.dkim import SigningKey
from smtpeter.message.dkimkeys import Algorithm, DkimKey, DkimKeyError
from smtpeter.store.accounts import AccountsError
from smtpeter.store.domains import (
    SenderDomain,
    applying_domain,
    change_domain,
    domains_by_number,
    related_domain,
)
from smtpeter.store.statements import insert_missing
from smtpeter.store.tables import dkim_keys, sender_domains
from smtpeter.values import frozen

SELECTORS = ("zero", "one", "two")
MOST_CUSTOM_KEYS = 20  # of an account
# Keys that stay read. A key does its first signature in twice the time of the next ones.
READ_KEYS = 1000

_KEYS = select(dkim_keys)
_PLAIN = tuple(
    each.name for each in dkim_keys.columns if each.name not in {"algorithm", "private_key"}
)


@frozen
class StoredKey:
    """
    One key.

    Attributes:
        custom: it is none of a sender domain itself, and signs besides these.
        always: it signs all mail of the account, wherever that is from.
        start, end: when it is used, in seconds since the epoch; None for no limit.
        created: seconds since the epoch.
    """

    id: int
    account_id: int
    domain: str
    selector: str
    custom: bool
    always: bool
    start: float | None
    end: float | None
    created: float
    key: DkimKey = field(repr=False)


@frozen
class Signers:
    """
    What signs a message.

    Attributes:
        keyless: the sender domain that should, but has no keys yet; None for none.
    """

    keys: tuple[SigningKey, ...]
    keyless: SenderDomain | None = None


class KeyProblem(AccountsError):
    """A key is not there, or cannot be where it should."""


def next_selector(selector: str) -> str:
    """The selector that comes after one; the first comes after the last."""
    return SELECTORS[(SELECTORS.index(selector) + 1) % len(SELECTORS)]


def new_key() -> DkimKey:
    """A key for a sender domain; it takes a part of a second."""
    return DkimKey.generate(Algorithm.RSA)


def new_keys() -> list[DkimKey]:
    """One for each of `SELECTORS`."""
    return [new_key() for _ in SELECTORS]


def keys(connection: Connection, account_id: int | None = None) -> list[StoredKey]:
    """The keys of one account or of all, by domain."""
    chosen = _KEYS.order_by(dkim_keys.c.domain, dkim_keys.c.custom, dkim_keys.c.id)
    if account_id is not None:
        chosen = chosen.where(dkim_keys.c.account_id == account_id)
    return _read(connection, chosen)


def may_sign(connection: Connection, account_id: int) -> bool:
    """Whether an account has a key, or a sender domain that could be given some."""
    there = [
        exists().where(each.c.account_id == account_id) for each in (dkim_keys, sender_domains)
    ]
    return any(connection.execute(select(*there)).one())


def own_keys(connection: Connection, domain: SenderDomain) -> dict[str, StoredKey]:
    """The keys of a sender domain itself, by selector in order; none before they are made."""
    found = {each.selector: each for each in _read(connection, _KEYS.where(_own(domain)))}
    return {selector: found[selector] for selector in SELECTORS if selector in found}


def add_own_keys(
    connection: Connection, domain: SenderDomain, made: Sequence[DkimKey], now: float
) -> SenderDomain:
    """
    Give a sender domain its keys; those that it has stay.

    Args:
        made: one for each of `SELECTORS`.
    """
    rows = [
        _row(domain.account_id, domain.name, selector, key, now)
        for selector, key in zip(SELECTORS, made, strict=True)
    ]
    connection.execute(insert_missing(dkim_keys), rows)
    return domain if domain.selector else change_domain(connection, domain, selector=SELECTORS[0])


def put_custom_key(
    connection: Connection,
    account_id: int,
    domain: str,
    selector: str,
    key: DkimKey,
    now: float,
    *,
    always: bool = False,
    start: float | None = None,
    end: float | None = None,
) -> StoredKey:
    """
    Add a key, in place of one with the same selector.

    Raises:
        KeyProblem: the account has no approved sender domain for it, or has too many keys.
    """
    if applying_domain(connection, account_id, domain) is None:
        raise KeyProblem(f"the account has no approved sender domain {domain!r}, nor one above it")
    connection.execute(delete(dkim_keys).where(_custom(account_id, domain, selector)))
    count = select(func.count()).where(
        dkim_keys.c.account_id == account_id, dkim_keys.c.custom.is_(True)
    )
    if connection.execute(count).scalar_one() >= MOST_CUSTOM_KEYS:
        raise KeyProblem(f"the account has {MOST_CUSTOM_KEYS} keys already; more are not allowed")
    row = _row(account_id, domain, selector, key, now)
    row |= {"custom": True, "always": always, "start": start, "end": end}
    connection.execute(insert(dkim_keys), [row])
    [stored] = _read(connection, _KEYS.where(_custom(account_id, domain, selector)))
    return stored


def custom_key(
    connection: Connection, domain: str, selector: str, account_id: int | None = None
) -> StoredKey:
    """
    The key that somebody means who says its domain and selector.

    Args:
        account_id: whose it is; None for any account's.

    Raises:
        KeyProblem: there is none, or several accounts have one.
    """
    chosen = _KEYS.where(
        dkim_keys.c.domain == domain,
        dkim_keys.c.selector == selector,
        dkim_keys.c.custom.is_(True),
    )
    found = [each for each in _read(connection, chosen) if account_id in (None, each.account_id)]
    if not found:
        raise KeyProblem(f"there is no added key {selector!r} of {domain!r}")
    if len(found) > 1:
        raise KeyProblem(f"{len(found)} accounts have a key {selector!r} of {domain!r}: say whose")
    return found[0]


def remove_key(connection: Connection, key: StoredKey) -> None:
    connection.execute(delete(dkim_keys).where(dkim_keys.c.id == key.id))


def rotate(connection: Connection, domain: SenderDomain, made: DkimKey, now: float) -> SenderDomain:
    """
    Take the next key of a sender domain into use.

    The key that was in use stays, since there is mail on its way that it has signed. The one
    that was in use before that is replaced, and comes next.

    Args:
        made: what replaces it; while there was none before, nothing is replaced.

    Raises:
        KeyProblem: somebody else was quicker.
    """
    following = next_selector(domain.selector)
    taken = connection.execute(
        update(sender_domains)
        .where(sender_domains.c.id == domain.id, sender_domains.c.selector == domain.selector)
        .values(selector=following, rotated=now)
    )
    if not taken.rowcount:
        raise KeyProblem(f"somebody else has changed the keys of {domain.name!r} just now")
    if domain.rotated is not None:
        oldest = dkim_keys.c.selector == next_selector(following)
        connection.execute(
            update(dkim_keys).where(_own(domain), oldest).values(created=now, **_secret(made))
        )
    return evolve(domain, selector=following, rotated=now)


def due_for_rotation(
    connection: Connection, before: float, after: int, limit: int
) -> list[tuple[SenderDomain, StoredKey | KeyProblem]]:
    """
    Approved sender domains whose key has been in use since before a time, with their next key.

    In place of a key that cannot be read stands why: it concerns nobody else.

    Args:
        after: the number of a domain; those with greater ones come, the least first.
        limit: how many at most.
    """
    since = func.coalesce(sender_domains.c.rotated, sender_domains.c.approved)
    numbers = (
        select(sender_domains.c.id)
        .where(since <= before, sender_domains.c.selector != "", sender_domains.c.id > after)
        .order_by(sender_domains.c.id)
        .limit(limit)
    )
    found = domains_by_number(connection, connection.execute(numbers).scalars().all())
    return [(domain, _next_key(connection, domain)) for domain in found]


def _next_key(connection: Connection, domain: SenderDomain) -> StoredKey | KeyProblem:
    selector = next_selector(domain.selector)
    try:
        return own_keys(connection, domain)[selector]
    except KeyProblem as problem:
        return problem
    except KeyError:
        return KeyProblem(f"{domain.name!r} has no key {selector!r}")


def signing_keys(connection: Connection, account_id: int, author: str, now: float) -> Signers:
    """
    What signs mail of an account.

    That is the key in use of the sender domain that is for the author, else of one with the
    same organizational domain; then those that were added for the author's domain or one above
    it; and those that sign all mail of the account.

    Args:
        author: the domain of the author, "" when it is not known.
    """
    domain = _signing_domain(connection, account_id, author) if author else None
    mine = dkim_keys.c.account_id == account_id
    added = dkim_keys.c.custom & (dkim_keys.c.always | dkim_keys.c.domain.in_(with_parents(author)))
    added &= dkim_keys.c.start.is_(None) | (dkim_keys.c.start <= now)
    added &= dkim_keys.c.end.is_(None) | (dkim_keys.c.end > now)
    chosen = added
    if domain is not None:
        chosen = added | (_own(domain) & (dkim_keys.c.selector == domain.selector))
    found = _read(
        connection, _KEYS.where(mine, chosen).order_by(dkim_keys.c.custom, dkim_keys.c.id)
    )
    signing = tuple(SigningKey(each.domain, each.selector, each.key) for each in found)
    keyless = domain is not None and all(each.custom for each in found)
    return Signers(signing, domain if keyless else None)


def _signing_domain(connection: Connection, account_id: int, author: str) -> SenderDomain | None:
    domain = applying_domain(connection, account_id, author)
    if domain is not None:
        return domain
    organization = organizational_domain(author)
    if organization is None:
        return None
    return related_domain(connection, account_id, organization)


def _own(domain: SenderDomain) -> Any:
    return (
        (dkim_keys.c.account_id == domain.account_id)
        & (dkim_keys.c.domain == domain.name)
        & dkim_keys.c.custom.is_(False)
    )


def _custom(account_id: int, domain: str, selector: str) -> Any:
    return (
        (dkim_keys.c.account_id == account_id)
        & (dkim_keys.c.domain == domain)
        & (dkim_keys.c.selector == selector)
        & dkim_keys.c.custom.is_(True)
    )


def _row(
    account_id: int, domain: str, selector: str, key: DkimKey, created: float
) -> dict[str, Any]:
    return {
        "account_id": account_id,
        "domain": domain,
        "selector": selector,
        "custom": False,
        "always": False,
        "created": created,
        **_secret(key),
    }


def _secret(key: DkimKey) -> dict[str, str]:
    return {"algorithm": key.algorithm.kind, "private_key": key.private_pem}


def _read(connection: Connection, chosen: Select[Any]) -> list[StoredKey]:
    return [_stored(row) for row in connection.execute(chosen).mappings()]


def _stored(row: Mapping[Any, Any]) -> StoredKey:
    values = {name: row[name] for name in _PLAIN}
    try:
        key = _restored(row["private_key"])
    except DkimKeyError as error:
        name = f"{row['selector']!r} of {row['domain']!r}"
        raise KeyProblem(f"the key {name} in the database: {error}") from None
    return StoredKey(**values, key=key)


_restored = lru_cache(READ_KEYS)(DkimKey.restored)
