"""`smtpeter domain`: the domains from which accounts send."""

from __future__ import annotations

from typing import Any

import click
from attrs import evolve

from smtpeter.cli.command import Commands, Operator, pass_operator
from smtpeter.cli.credentials import (
    email_argument,
    optional_email_argument,
    require_change,
    shown,
)
from smtpeter.cli.domaindocuments import domain_documents
from smtpeter.cli.domainrecords import (
    examined,
    known_domain,
    named_domain,
    record_documents,
    record_lines,
)
from smtpeter.cli.domainsettings import Said, changes, removing_options, settings_options
from smtpeter.cli.output import answer, json_option, moment, table
from smtpeter.cli.values import parse_domain, parse_email, parse_sender_domain
from smtpeter.dns.checking import Checked, Status
from smtpeter.dns.dmarc import Dmarc
from smtpeter.dns.proof import new_proof
from smtpeter.dns.records import Purpose
from smtpeter.domains import DomainError, bounce_host_of, tracking_host_of
from smtpeter.store import accounts, dkimkeys
from smtpeter.store import domains as store
from smtpeter.store.accounts import Account
from smtpeter.store.domains import SenderDomain


@click.group(cls=Commands)
def domain() -> None:
    """Sender domains: what is done for mail from them, and what the DNS has of them."""


domain_argument = click.argument("name", metavar="DOMAIN", type=parse_domain)
account_option = click.option(
    "--account",
    metavar="EMAIL",
    type=parse_email,
    help="Whose domain, where several accounts wait for it.",
)


@domain.command("add")
@email_argument
@click.argument("name", metavar="DOMAIN", type=parse_sender_domain)
@settings_options
@click.option(
    "--unapproved", is_flag=True, help="Have its owner prove it first, by a record in the DNS."
)
@json_option
@pass_operator
def add_domain(
    operator: Operator, /, *, email: str, name: str, unapproved: bool, as_json: bool, **said: Any
) -> None:
    """Add a domain to an account; it is approved at once."""
    now = operator.now()
    planned = _planned(name, now, approved=not unapproved)
    planned = evolve(
        planned, **changes(_with_hosts(Said(**said), name), planned, operator.config())
    )
    made = dkimkeys.new_keys()
    with operator.database() as database, database.begin() as connection:
        account = accounts.existing_account(connection, email)
        added = store.insert_domain(connection, evolve(planned, account_id=account.id))
        added = dkimkeys.add_own_keys(connection, added, made, now)
    operator.let_it_take_effect()
    text = f"The domain {name} was added to {email}.\n\n{_lines(added)}"
    if added.proof is not None:
        text += (
            "\n\nIt waits until this record is in the DNS and `smtpeter domain check` finds it:"
            f"\n\n    {added.proof.name} TXT {added.proof.value}"
        )
    _answer(operator, added, account, text, as_json=as_json)


@domain.command("set")
@domain_argument
@account_option
@settings_options
@removing_options
@json_option
@pass_operator
def set_domain(
    operator: Operator, /, *, name: str, account: str | None, as_json: bool, **said: Any
) -> None:
    """Change what is said of a domain, and leave the rest."""
    require_change(*(None if each is False else each for each in said.values()))
    config = operator.config()
    with operator.database() as database, database.begin() as connection:
        known, owner = named_domain(connection, name, account)
        changed = store.change_domain(connection, known, **changes(Said(**said), known, config))
    operator.let_it_take_effect()
    text = f"The domain {name} was changed.\n\n{_lines(changed)}"
    _answer(operator, changed, owner, text, as_json=as_json)


@domain.command("list")
@optional_email_argument
@json_option
@pass_operator
def list_domains(operator: Operator, *, email: str | None, as_json: bool) -> None:
    """List the domains of an account, or all."""
    with operator.database() as database, database.connect() as connection:
        named = accounts.existing_account(connection, email) if email else None
        owners = {each.id: each for each in accounts.accounts(connection)}
        found = store.domains(connection, named.id if named else None)
    headings = ("domain", "account", "created", "state", "tracking", "bounces")
    rows = [
        (
            each.name,
            owners[each.account_id].email,
            moment(each.created),
            "waiting" if each.approved is None else "approved",
            _tracking(each),
            each.bounce_host,
        )
        for each in found
    ]
    documents = domain_documents(operator, found, owners) if as_json else None
    answer(documents, table(headings, rows), as_json=as_json)


@domain.command("check")
@domain_argument
@account_option
@json_option
@pass_operator
def check_domain(operator: Operator, *, name: str, account: str | None, as_json: bool) -> None:
    """Look up the records of a domain; when the proof is there, approve it."""
    known = known_domain(operator, name, account)
    result = examined(operator, known)
    checked, summary = known.domain, dict(result.summary)
    if checked.approved is None and any(map(_proves, result.checked)):
        with operator.database() as database, database.begin() as connection:
            checked = store.approve_domain(connection, checked, operator.now())
        operator.let_it_take_effect()
        summary["validation"] = "ok"
        said = f"The domain {name} is approved now."
    elif checked.approved is None:
        said = f"The domain {name} waits: the record that proves it is not in the DNS."
    else:
        said = f"The domain {name} is approved."
    document = {
        "name": name,
        "account": known.account.email,
        "approved": checked.approved is not None,
        "status": summary,
        "records": record_documents(result),
    }
    lines = "\n".join(f"    {each.ljust(10)}  {word}" for each, word in summary.items())
    answer(document, f"{said}\n\n{lines}\n\n{record_lines(result)}", as_json=as_json)


@domain.command("remove")
@domain_argument
@account_option
@json_option
@pass_operator
def remove_domain(operator: Operator, *, name: str, account: str | None, as_json: bool) -> None:
    """Remove a domain and its keys; links that were sent lead on."""
    with operator.database() as database, database.begin() as connection:
        removed, owner = named_domain(connection, name, account)
        store.remove_domain(connection, removed)
    operator.let_it_take_effect()
    _answer(operator, removed, owner, f"The domain {name} was removed.", as_json=as_json)


def _planned(name: str, now: float, *, approved: bool) -> SenderDomain:
    """
    A domain with what holds where nothing is said, of nobody yet.

    Raises:
        BadParameter: no host, or no proof, fits below it.
    """
    try:
        proof = None if approved else new_proof(name)
    except DomainError as error:
        raise click.BadParameter(str(error), param_hint="DOMAIN") from None
    return SenderDomain(
        0,  # until it is stored
        0,
        name,
        now if approved else None,
        tracking_host_of(name),
        https=False,
        bounce_host=bounce_host_of(name),
        created=now,
        proof=proof,
    )


def _with_hosts(said: Said, name: str) -> Said:
    """The same with the usual hosts where none are named, which have to be possible too."""
    return evolve(
        said,
        tracking=tracking_host_of(name) if said.tracking is None else said.tracking,
        bounces=bounce_host_of(name) if said.bounces is None else said.bounces,
    )


def _proves(checked: Checked) -> bool:
    return checked.advice.purpose is Purpose.PROOF and checked.status is Status.OK


def _tracking(domain: SenderDomain) -> str:
    return f"{'https' if domain.https else 'http'}://{domain.tracking_host}"


def _lines(domain: SenderDomain) -> str:
    """What is said of it; of most only what is not as usual."""
    facts = {
        "tracking": _tracking(domain),
        "bounces": domain.bounce_host,
        "policy": "" if domain.dmarc == Dmarc() else _policy(domain.dmarc),
        "reports": ", ".join(domain.addresses),
        "spf": " ".join(domain.mechanisms),
        "pool": domain.pool,
    }
    return shown(**{name: fact for name, fact in facts.items() if fact})


def _policy(dmarc: Dmarc) -> str:
    dates = (f"from {dmarc.startdate}", f"to {dmarc.enddate}")
    ramp = [text for day, text in zip((dmarc.startdate, dmarc.enddate), dates, strict=True) if day]
    return ", ".join([dmarc.policy, " ".join([f"{dmarc.percentage} %", *ramp])])


def _answer(
    operator: Operator, domain: SenderDomain, account: Account, text: str, *, as_json: bool
) -> None:
    document = None
    if as_json:
        [document] = domain_documents(operator, [domain], {account.id: account})
    answer(document, text, as_json=as_json)
