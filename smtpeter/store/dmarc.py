"""What others report on the use of our domains (RFC 7489 section 7.2)."""

from __future__ import annotations

from attrs import field
from sqlalchemy import Connection, exists, insert, select

from smtpeter.domains import DomainError, domain_name, with_parents
from smtpeter.store.messages import storable
from smtpeter.store.tables import dmarc_reports, sender_domains
from smtpeter.values import frozen

# A report that comes a second time comes within days; so far back is looked for the first.
TWICE_SECONDS = 14 * 86_400.0
MOST = 2**31 - 1  # what a column holds
# What an index of PostgreSQL takes has 2704 octets at most.
ID_OCTETS = 1000
DOMAIN_OCTETS = 255  # RFC 1035 section 2.3.4

_ADD = insert(dmarc_reports)


@frozen
class DmarcReport:
    """
    An aggregate report.

    Attributes:
        begin: of its period, seconds since the epoch.
        end: the same for its end.
        domain: what it is about.
        sending_domain: whose receiver made it.
        document: its XML, compressed by zlib.
    """

    organization: str
    email: str
    report_id: str
    begin: float
    end: float
    domain: str
    sending_domain: str
    messages: int
    failed_spf: int
    failed_dkim: int
    document: bytes = field(repr=False)


def keep(connection: Connection, report: DmarcReport, now: float) -> bool:
    """
    Keep a report that came now; gives False for one that is there already.

    It belongs to the account that has the domain approved, or the closest domain above it.
    """
    row = {
        "time": now,
        "account_id": _owner(connection, report.domain),
        "organization": storable(report.organization),
        "email": storable(report.email),
        "report_id": _short(report.report_id, ID_OCTETS),
        "begin": float(report.begin),
        "end": float(report.end),
        "domain": _short(report.domain, DOMAIN_OCTETS),
        "sending_domain": _short(report.sending_domain, DOMAIN_OCTETS),
        "messages": min(report.messages, MOST),
        "failed_spf": min(report.failed_spf, MOST),
        "failed_dkim": min(report.failed_dkim, MOST),
        "document": report.document,
    }
    same = exists().where(
        dmarc_reports.c.time > now - TWICE_SECONDS,
        *(dmarc_reports.c[name] == row[name] for name in ("report_id", "sending_domain", "domain")),
    )
    if connection.execute(select(same)).scalar_one():
        return False
    connection.execute(_ADD, [row])
    return True


def _short(text: str, octets: int) -> str:
    """A beginning of a text that an index takes."""
    return storable(text).encode()[:octets].decode("utf-8", "ignore")


def _owner(connection: Connection, domain: str) -> int:
    """The id of the account whose domain it is, 0 for nobody's."""
    try:
        name = domain_name(domain)
    except DomainError:
        return 0
    query = select(sender_domains.c.name, sender_domains.c.account_id).where(
        sender_domains.c.approved.is_not(None),
        sender_domains.c.name.in_(with_parents(name)),
    )
    found = max(connection.execute(query), key=lambda row: len(row.name), default=None)
    return 0 if found is None else int(found.account_id)
