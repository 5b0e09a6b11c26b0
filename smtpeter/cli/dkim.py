"""`smtpeter dkim`: the keys that sign mail. Their private halves are never shown."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from smtpeter.cli.command import Commands, Failed, Operator, pass_operator
from smtpeter.cli.domainrecords import KnownDomain, known_domain
from smtpeter.cli.output import answer, json_option, moment, moment_or_none, table
from smtpeter.cli.values import parse_domain, parse_email
from smtpeter.dns.checking import key_fault
from smtpeter.dns.names import Names, NoAnswer
from smtpeter.domains import with_parents
from smtpeter.message.dkimkeys import LONGEST_TEXT_CHARACTERS, Algorithm, DkimKey, DkimKeyError
from smtpeter.message.dkimrecord import SelectorError, key_record, record_name, selector_name
from smtpeter.store import accounts, dkimkeys, domains
from smtpeter.store.dkimkeys import SELECTORS, StoredKey, next_selector
from smtpeter.store.domains import SenderDomain
from smtpeter.units import parse_time

# Of keys of sender domains themselves, and words that REST has in the place of a selector.
RESERVED = frozenset({*SELECTORS, "publickey", "algorithm", "selector"})
_KINDS = {each.kind: each for each in Algorithm}


def parse_selector(text: str) -> str:
    """
    A selector in lower case, as keys have it.

    Raises:
        BadParameter: it is none.
    """
    try:
        return selector_name(text)
    except SelectorError as error:
        raise click.BadParameter(str(error)) from None


def parse_new_selector(text: str) -> str:
    """
    The selector of a key that is added.

    Raises:
        BadParameter: it is none, or stands for something else.
    """
    selector = parse_selector(text)
    if selector in RESERVED:
        taken = ", ".join(sorted(RESERVED))
        raise click.BadParameter(f"{selector!r} is not free; neither is any of {taken}")
    return selector


def parse_period_end(text: str) -> float:
    """
    When the period of a key begins or ends, in seconds since the epoch.

    Raises:
        BadParameter: it is no date and time.
    """
    try:
        return parse_time(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is no time such as '2031-01-31 12:00:00'") from None


@click.group(cls=Commands)
def dkim() -> None:
    """Keys that sign mail: those of sender domains, and others. The secrets are never shown."""


domain_argument = click.argument("name", metavar="DOMAIN", type=parse_domain)
account_option = click.option(
    "--account", metavar="EMAIL", type=parse_email, help="Whose key, where that is not plain."
)


@dkim.command("list")
@click.argument("name", metavar="[DOMAIN]", type=parse_domain, required=False)
@json_option
@pass_operator
def list_keys(operator: Operator, *, name: str | None, as_json: bool) -> None:
    """List the keys of a domain, or all."""
    with operator.database() as database, database.connect() as connection:
        found = [each for each in dkimkeys.keys(connection) if name in (None, each.domain)]
        owners = {each.id: each.email for each in accounts.accounts(connection)}
        senders = {(each.account_id, each.name): each for each in domains.domains(connection)}
    now = operator.now()
    rows = [
        (each, _state(each, senders.get((each.account_id, each.domain)), now)) for each in found
    ]
    headings = ("domain", "selector", "algorithm", "account", "created", "state", "always")
    lines = [
        (
            each.domain,
            each.selector,
            _algorithm(each.key),
            owners[each.account_id],
            moment(each.created),
            state,
            "yes" if each.always else "no",
        )
        for each, state in rows
    ]
    documents = [
        _document(each, owners[each.account_id]) | {"state": state} for each, state in rows
    ]
    answer(documents, table(headings, lines), as_json=as_json)


@dkim.command("add")
@domain_argument
@click.argument("selector", metavar="SELECTOR", type=parse_new_selector)
@account_option
@click.option(
    "--algorithm", type=click.Choice(list(_KINDS)), help="Of the key that is made; else rsa."
)
@click.option(
    "--import",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Take the private key in that file, PEM or base64, instead of making one.",
)
@click.option("--always", is_flag=True, help="Sign all mail of the account, from any domain.")
@click.option("--start", metavar="TIME", type=parse_period_end, help="Do not sign before, UTC.")
@click.option("--end", metavar="TIME", type=parse_period_end, help="Do not sign from then on, UTC.")
@json_option
@pass_operator
def add_key(
    operator: Operator,
    *,
    name: str,
    selector: str,
    account: str | None,
    algorithm: str | None,
    file: Path | None,
    always: bool,
    start: float | None,
    end: float | None,
    as_json: bool,
) -> None:
    """Add a key that signs besides that of the sender domain, or replace one."""
    if file is not None and algorithm is not None:
        raise click.BadParameter("an imported key has its own", param_hint="--algorithm")
    if start is not None and end is not None and end <= start:
        raise click.BadParameter("it is not after --start", param_hint="--end")
    key = DkimKey.generate(_KINDS[algorithm or "rsa"]) if file is None else _imported(file)
    with operator.database() as database, database.begin() as connection:
        owner = accounts.existing_account(connection, account).id if account else None
        if owner is None:
            owner = _closest(connection, name).account_id
        added = dkimkeys.put_custom_key(
            connection, owner, name, selector, key, operator.now(),
            always=always, start=start, end=end,
        )  # fmt: skip
        email = {each.id: each.email for each in accounts.accounts(connection)}[owner]
    operator.let_it_take_effect()
    text = f"The key {selector} of {name} was added to {email}. Publish this record:\n\n"
    text += f"    {record_name(selector, name)} TXT {key_record(key)}"
    if key.weak:
        text += f"\n\nIt is an RSA key of {key.bits} bits, which is little; 2048 are usual."
    answer(_document(added, email), text, as_json=as_json)


@dkim.command("remove")
@domain_argument
@click.argument("selector", metavar="SELECTOR", type=parse_selector)
@account_option
@json_option
@pass_operator
def remove_key(
    operator: Operator, *, name: str, selector: str, account: str | None, as_json: bool
) -> None:
    """Remove a key that was added; leave its record until its mail has arrived."""
    if selector in SELECTORS:
        raise Failed(f"the key {selector!r} is one of the sender domain's own, which stay with it")
    with operator.database() as database, database.begin() as connection:
        owner = accounts.existing_account(connection, account).id if account else None
        removed = dkimkeys.custom_key(connection, name, selector, owner)
        dkimkeys.remove_key(connection, removed)
        emails = {each.id: each.email for each in accounts.accounts(connection)}
    operator.let_it_take_effect()
    document = _document(removed, emails[removed.account_id])
    answer(document, f"The key {selector} of {name} was removed.", as_json=as_json)


@dkim.command("rotate")
@domain_argument
@click.option("--force", is_flag=True, help="Also when the DNS does not have the next key.")
@json_option
@pass_operator
def rotate(operator: Operator, *, name: str, force: bool, as_json: bool) -> None:
    """Have a sender domain's next key sign; that which was in use before the last is replaced."""
    known = known_domain(operator, name)
    if known.domain.approved is None:
        raise Failed(f"the domain {name!r} is not approved, and nothing signs for it")
    coming = next_selector(known.domain.selector)
    if not force:
        _require_published(operator, known, coming)
    made = dkimkeys.new_key()
    with operator.database() as database, database.begin() as connection:
        rotated = dkimkeys.rotate(connection, known.domain, made, operator.now())
        following = dkimkeys.own_keys(connection, rotated)[next_selector(coming)]
    operator.let_it_take_effect()
    record = (record_name(following.selector, name), key_record(following.key))
    document = {
        "domain": name,
        "selector": coming,
        "former": known.domain.selector,
        "next": {"name": record[0], "type": "TXT", "value": record[1]},
    }
    text = (
        f"The key {coming} of {name} signs now. Leave the record of {known.domain.selector} where"
        f" it is for a week; before the next time, this one has to be there:\n\n"
        f"    {record[0]} TXT {record[1]}"
    )
    answer(document, text, as_json=as_json)


def _require_published(operator: Operator, known: KnownDomain, selector: str) -> None:
    name, key = known.domain.name, known.keys[selector]

    async def ask(names: Names) -> str:
        try:
            return await key_fault(names, name, selector, key)
        except NoAnswer as error:
            return str(error)

    fault = operator.ask(operator.config(), lambda names, _: ask(names))
    if fault:
        where = record_name(selector, name)
        raise Failed(
            f"the next key is not published at {where}: {fault}; --force rotates all the same"
        )


def _imported(file: Path) -> DkimKey:
    """
    Read a private key.

    Raises:
        Failed: the file cannot be read.
        BadParameter: it holds no key that can sign.
    """
    try:
        with file.open("rb") as opened:
            octets = opened.read(LONGEST_TEXT_CHARACTERS + 1)
    except OSError as error:
        raise Failed(f"{file} cannot be read: {error.strerror}") from None
    try:
        return DkimKey.read(octets.decode("latin-1"))
    except DkimKeyError as error:
        raise click.BadParameter(f"{file}: {error}", param_hint="--import") from None


def _closest(connection: Any, name: str) -> SenderDomain:
    """
    The approved domain that gives a right to a key, of whichever account.

    Raises:
        Failed: there is none.
    """
    for each in with_parents(name):
        found = domains.approved_domain(connection, each)
        if found is not None:
            return found
    raise Failed(f"there is no approved sender domain {name!r}, nor one above it")


def _state(key: StoredKey, domain: SenderDomain | None, now: float) -> str:
    """What a key does; it is of a domain that is there when it is not a custom one."""
    if key.custom:
        if key.start is not None and now < key.start:
            return "signs later"
        return "signs no more" if key.end is not None and now >= key.end else "signs"
    if domain is None or domain.approved is None:
        return "waits for approval"
    if key.selector == domain.selector:
        return "signs"
    if key.selector == next_selector(domain.selector):
        return "comes next"
    return "signed before" if domain.rotated is not None else "comes later"


def _algorithm(key: DkimKey) -> str:
    return f"rsa {key.bits}" if key.algorithm is Algorithm.RSA else key.algorithm.kind


def _document(key: StoredKey, email: str) -> dict[str, Any]:
    return {
        "domain": key.domain,
        "selector": key.selector,
        "hostname": record_name(key.selector, key.domain),
        "account": email,
        "custom": key.custom,
        "always": key.always,
        "created": moment(key.created),
        "start": moment_or_none(key.start),
        "end": moment_or_none(key.end),
        "algorithm": key.key.algorithm.kind,
        "public": key.key.public_pem,
        "record": key_record(key.key),
    }
