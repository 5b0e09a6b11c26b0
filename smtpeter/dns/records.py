"""The records that a sender domain should publish."""

from __future__ import annotations

import enum
from collections.abc import Mapping, Sequence
from datetime import date

from smtpeter.dns import dmarc as dmarcs
from smtpeter.dns.dmarc import Dmarc
from smtpeter.dns.proof import Proof
from smtpeter.dns.spfrecord import spf_record
from smtpeter.message.dkimkeys import DkimKey
from smtpeter.message.dkimrecord import key_record, record_name
from smtpeter.values import frozen

PREFERENCE = 0  # of our host among the mail exchangers of a bounce host


@frozen
class Record:
    """
    One record of the DNS.

    Attributes:
        kind: its type, such as "TXT".
        value: for TXT the text as one, for MX with the preference; names have no final dot.
    """

    name: str
    kind: str
    value: str


class Purpose(enum.Enum):
    """What a record is for."""

    PROOF = "validation"
    DKIM = "dkim"
    MX = "mx"
    CLICKS = "a"
    SPF = "spf"
    BOUNCE_SPF = "bounce spf"
    DMARC = "dmarc"


@frozen
class Advice:
    """
    A record that should be published.

    Attributes:
        selector: of the key, for DKIM.
    """

    record: Record
    purpose: Purpose
    selector: str = ""


@frozen
class Installation:
    """
    What sender domains have to lead to.

    Attributes:
        hostname: that of the service, where bounces are taken.
        tracking_host: where links of mail without a sender domain point.
        tracking_addresses: its IP addresses; empty when they are not known.
        zone: that name servers serve for us, "" for none.
        authority: who issues certificates for tracking hosts, "" when that is not known.
    """

    hostname: str
    tracking_host: str
    tracking_addresses: tuple[str, ...] = ()
    zone: str = ""
    authority: str = ""


@frozen
class Facts:
    """
    What is known of a sender domain, as far as the DNS should tell it.

    Attributes:
        number: by which our zone knows it.
        approved: whether somebody has proved to control it.
        proof: the record that would prove it; None when it is approved.
        keys: its own, by selector.
        selector: that of the key in use.
        reports: addresses that get DMARC reports.
        sources: addresses that its mail is sent from; empty when they are not known.
        terms: of its SPF record.
    """

    number: int
    name: str
    approved: bool
    proof: Proof | None
    tracking_host: str
    bounce_host: str
    keys: Mapping[str, DkimKey]
    selector: str
    dmarc: Dmarc
    reports: tuple[str, ...]
    sources: tuple[str, ...]
    terms: tuple[str, ...]


def recommended(facts: Facts, ours: Installation, day: date) -> list[Advice]:
    """
    What needs the least care: names that lead to ours, wherever we have one to lead to.

    Without a zone of ours these are the records themselves, but for the tracking host.
    """
    if not ours.zone:
        return [*_proof(facts), *_keys(facts), *_hosts(facts, ours), *_literal(facts, day)]
    keys = [
        Advice(
            Record(record_name(each, facts.name), "CNAME", key_host(facts, each, ours.zone)),
            Purpose.DKIM,
            each,
        )
        for each in facts.keys
    ]
    include = spf_record([f"include:{spf_host(facts, ours.zone)}"])
    policy = Record(dmarcs.record_name(facts.name), "CNAME", dmarc_host(facts, ours.zone))
    return [
        *_proof(facts),
        *keys,
        *_hosts(facts, ours),
        *_spf(facts, include),
        Advice(policy, Purpose.DMARC),
    ]


def selfhosted(facts: Facts, ours: Installation, day: date) -> list[Advice]:
    """The same meaning without names that lead to ours, as far as we know what these stand for."""
    hosts = _literal_hosts(facts, ours) if ours.tracking_addresses else _hosts(facts, ours)
    return [*_proof(facts), *_keys(facts), *hosts, *_literal(facts, day)]


def key_host(facts: Facts, selector: str, zone: str) -> str:
    """Where our zone has a key of a sender domain."""
    return f"dkim{facts.number}-{selector}.{zone}"


def spf_host(facts: Facts, zone: str) -> str:
    """Where it has who may send mail of the domain."""
    return f"spf{facts.number}.{zone}"


def dmarc_host(facts: Facts, zone: str) -> str:
    """Where it has the policy of the domain."""
    return f"dmarc{facts.number}.{zone}"


def _proof(facts: Facts) -> Sequence[Advice]:
    if facts.proof is None:
        return ()
    return [Advice(Record(facts.proof.name, "TXT", facts.proof.value), Purpose.PROOF)]


def _keys(facts: Facts) -> Sequence[Advice]:
    return [
        Advice(
            Record(record_name(selector, facts.name), "TXT", key_record(key)),
            Purpose.DKIM,
            selector,
        )
        for selector, key in facts.keys.items()
    ]


def _hosts(facts: Facts, ours: Installation) -> Sequence[Advice]:
    return [_exchanger(facts, ours), *_tracking(facts, ours, [("CNAME", ours.tracking_host)])]


def _literal_hosts(facts: Facts, ours: Installation) -> Sequence[Advice]:
    addresses = [("AAAA" if ":" in each else "A", each) for each in ours.tracking_addresses]
    return [_exchanger(facts, ours), *_tracking(facts, ours, addresses)]


def _exchanger(facts: Facts, ours: Installation) -> Advice:
    return Advice(Record(facts.bounce_host, "MX", f"{PREFERENCE} {ours.hostname}"), Purpose.MX)


def _tracking(
    facts: Facts, ours: Installation, values: Sequence[tuple[str, str]]
) -> Sequence[Advice]:
    if facts.tracking_host == ours.tracking_host:  # nothing leads to itself
        return ()
    return [
        Advice(Record(facts.tracking_host, kind, value), Purpose.CLICKS) for kind, value in values
    ]


def _literal(facts: Facts, day: date) -> Sequence[Advice]:
    policy = dmarcs.dmarc_record(facts.dmarc, facts.reports, day)
    record = Record(dmarcs.record_name(facts.name), "TXT", policy)
    return [*_spf(facts, spf_record(facts.terms)), Advice(record, Purpose.DMARC)]


def _spf(facts: Facts, text: str) -> Sequence[Advice]:
    """Receivers look at the domain of the envelope address (RFC 7208 section 2.4): that is both."""
    advice = [Advice(Record(facts.name, "TXT", text), Purpose.SPF)]
    if facts.bounce_host != facts.name:
        advice.append(Advice(Record(facts.bounce_host, "TXT", text), Purpose.BOUNCE_SPF))
    return advice
