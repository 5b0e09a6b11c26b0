"""`smtpeter dns`: what sender domains should publish, and what the DNS says now."""

from __future__ import annotations

import click
from sqlalchemy import Connection

from smtpeter.advising import facts_of, gathered, sources_of, spf_terms
from smtpeter.cli.asking import today
from smtpeter.cli.command import Command, Failed, Operator, pass_operator
from smtpeter.cli.domainrecords import (
    KnownDomain,
    examined,
    known_domain,
    record_documents,
    record_lines,
)
from smtpeter.cli.output import answer, json_option
from smtpeter.cli.values import parse_domain, parse_email
from smtpeter.config import Config
from smtpeter.dns.names import Names
from smtpeter.dns.records import Record
from smtpeter.dns.zone import zone_file, zone_records
from smtpeter.message.dkimkeys import DkimKey
from smtpeter.store import accounts, dkimkeys, domains
from smtpeter.store.domains import SenderDomain


@click.command(cls=Command)
@click.argument("name", metavar="[DOMAIN]", type=parse_domain, required=False)
@click.option(
    "--account",
    metavar="EMAIL",
    type=parse_email,
    help="Whose domain, where several accounts wait for it.",
)
@click.option(
    "--recommended",
    "form",
    flag_value="recommended",
    help="Names that lead to ours, where there are some; this is the usual.",
)
@click.option("--selfhosted", "form", flag_value="selfhosted", help="What these stand for.")
@click.option("--status", is_flag=True, help="Only whether all is well, in short.")
@click.option("--zone", is_flag=True, help="Our own zone instead, as a file for a name server.")
@json_option
@pass_operator
def dns(
    operator: Operator,
    *,
    name: str | None,
    account: str | None,
    form: str | None,
    status: bool,
    zone: bool,
    as_json: bool,
) -> None:
    """Show the records that a domain should publish, each with what the DNS says now."""
    if zone:
        if name is not None:
            raise click.UsageError("--zone is about all domains; none is named with it")
        _show_zone(operator, as_json=as_json)
        return
    if name is None:
        raise click.UsageError("a domain is missing, or --zone")
    known = known_domain(operator, name, account)
    result = examined(operator, known, literally=form == "selfhosted")
    if status:
        lines = "\n".join(f"{each.ljust(10)}  {word}" for each, word in result.summary.items())
        answer(result.summary, lines, as_json=as_json)
    else:
        answer(record_documents(result), record_lines(result), as_json=as_json)


def _show_zone(operator: Operator, *, as_json: bool) -> None:
    config = operator.config()
    settings = config.dns
    if not settings.zone:
        raise Failed("the zone has no name: dns.zone is empty in the configuration")
    with operator.database() as database, database.connect() as connection:
        known = _all_domains(connection)
    records = operator.ask(config, lambda names, _: _zone(config, known, operator.now(), names))
    text = zone_file(
        records, settings.zone, settings.nameservers, config.hostname, int(operator.now())
    )
    documents = [{"name": e.name, "type": e.kind, "value": e.value} for e in records]
    answer(documents, text, as_json=as_json)


async def _zone(config: Config, known: list[KnownDomain], now: float, names: Names) -> list[Record]:
    facts = await gathered(
        *(facts_of(config, each.domain, each.keys, each.account.pool, names) for each in known)
    )
    sources = await gathered(
        *(sources_of(config, pool, names) for pool in ("", *config.delivery.pools))
    )
    everything = tuple(dict.fromkeys(address for each in sources for address in each))
    terms = spf_terms(config, everything, ())
    return list(zone_records(facts, terms, config.dns.zone, today(now)))


def _all_domains(connection: Connection) -> list[KnownDomain]:
    owners = {each.id: each for each in accounts.accounts(connection)}
    return [
        KnownDomain(each, owners[each.account_id], _keys(connection, each))
        for each in domains.domains(connection)
    ]


def _keys(connection: Connection, domain: SenderDomain) -> dict[str, DkimKey]:
    return {name: each.key for name, each in dkimkeys.own_keys(connection, domain).items()}
