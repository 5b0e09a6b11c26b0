"""Whether the DNS has what a sender domain should publish."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Sequence
from datetime import date

from smtpeter.dns.dmarc import dmarc_fault, is_dmarc_record
from smtpeter.dns.names import Names, NoAnswer, addresses_of
from smtpeter.dns.records import Advice, Facts, Installation, Purpose, spf_host
from smtpeter.dns.spfcheck import SpfFault, check_spf
from smtpeter.dns.spfrecord import is_spf_record
from smtpeter.dns.zone import senders_host
from smtpeter.domains import with_parents
from smtpeter.message.dkimkeys import DkimKey
from smtpeter.message.dkimrecord import record_fault, record_name
from smtpeter.values import frozen

_SUMMED = (Purpose.DMARC, Purpose.DKIM, Purpose.SPF, Purpose.MX, Purpose.CLICKS)


class Status(enum.Enum):
    """How a record is found."""

    OK = "ok"
    MISSING = "missing"
    WRONG = "wrong"
    ERROR = "error"  # the DNS did not say


@frozen
class Checked:
    """
    What the DNS says of a record.

    Attributes:
        found: what is there; of another type than advised with that type before it.
        problem: what is wrong with it, "" for nothing.
    """

    advice: Advice
    status: Status
    found: tuple[str, ...] = ()
    problem: str = ""


class _Wrong(Exception):
    """What is published does not do; the text says why."""


async def check(
    advice: Advice, facts: Facts, ours: Installation, names: Names, day: date
) -> Checked:
    """Compare a record that should be there with the DNS, by what it means."""
    record = advice.record
    try:
        aliases = await names.look_up(record.name, "CNAME")
        values = await _values(advice, names)
        found = _found(advice, aliases, values)
        if not values and not aliases:
            return Checked(advice, Status.MISSING)
        await _judge(advice, [value for _, value in values], facts, ours, names, day)
    except NoAnswer as error:
        return Checked(advice, Status.ERROR, problem=str(error))
    except _Wrong as fault:
        return Checked(advice, Status.WRONG, found, str(fault))
    return Checked(advice, Status.OK, found)


async def _values(advice: Advice, names: Names) -> list[tuple[str, str]]:
    """What stands at a name and counts for the purpose, each with its type."""
    name = advice.record.name
    match advice.purpose:
        case Purpose.MX:
            return [("MX", each) for each in await names.look_up(name, "MX")]
        case Purpose.CLICKS:
            addresses = await addresses_of(names, name)
            return [("AAAA" if ":" in each else "A", each) for each in addresses]
    texts: Iterable[str] = await names.look_up(name, "TXT")
    if advice.purpose in (Purpose.SPF, Purpose.BOUNCE_SPF):
        texts = filter(is_spf_record, texts)
    elif advice.purpose is Purpose.DMARC:
        texts = filter(is_dmarc_record, texts)
    return [("TXT", each) for each in texts]


def _found(
    advice: Advice, aliases: Sequence[str], values: Sequence[tuple[str, str]]
) -> tuple[str, ...]:
    wanted = advice.record.kind
    if aliases and wanted == "CNAME":
        return tuple(aliases)
    if not values:
        return tuple(f"CNAME {each}" for each in aliases)
    return tuple(value if kind == wanted else f"{kind} {value}" for kind, value in values)


async def _judge(
    advice: Advice,
    values: Sequence[str],
    facts: Facts,
    ours: Installation,
    names: Names,
    day: date,
) -> None:
    """
    See whether what was found does what the record is for.

    Raises:
        _Wrong: it does not.
        NoAnswer: the DNS does not say.
    """
    match advice.purpose:
        case Purpose.PROOF:
            _require(advice.record.value in values, "it has another value")
        case Purpose.DKIM:
            _judge_key(values, facts.keys[advice.selector])
        case Purpose.MX:
            hosts = [each.partition(" ")[2] for each in values]
            _require(ours.hostname in hosts, f"mail does not go to {ours.hostname}")
        case Purpose.CLICKS:
            _judge_addresses(values, ours)
        case Purpose.DMARC:
            _require(len(values) == 1, f"there are {len(values)} DMARC records instead of one")
            fault = dmarc_fault(values[0], facts.dmarc, facts.reports, day)
            _require(not fault, fault)
        case _:
            try:
                await check_spf(
                    names, advice.record.name, facts.sources, facts.terms, _our_spf(facts, ours)
                )
            except SpfFault as fault:
                raise _Wrong(str(fault)) from None


def _require(condition: bool, otherwise: str) -> None:  # noqa: FBT001
    if not condition:
        raise _Wrong(otherwise)


def _judge_key(values: Sequence[str], key: DkimKey) -> None:
    _require(bool(values), "where it leads to there is no key")
    faults = [record_fault(each, key) for each in values]
    _require("" in faults, faults[0])
    _require(len(values) == 1, f"there are {len(values)} records instead of one")


def _judge_addresses(values: Sequence[str], ours: Installation) -> None:
    _require(bool(values), "where it leads to there is no address")
    host = ours.tracking_host
    _require(bool(ours.tracking_addresses), f"no address of {host} is known")
    others = [each for each in values if each not in ours.tracking_addresses]
    _require(not others, f"{' and '.join(others)} is no address of {host}")


def _our_spf(facts: Facts, ours: Installation) -> Collection[str]:
    zone = ours.zone
    return (spf_host(facts, zone), senders_host(zone), zone) if zone else ()


async def check_authorities(facts: Facts, ours: Installation, names: Names) -> bool:
    """
    Whether a certificate for the tracking host may be issued (RFC 8659).

    Raises:
        NoAnswer: the DNS does not say.
    """
    for name in with_parents(facts.tracking_host):
        found = await names.look_up(name, "CAA")
        if found:
            return _may_issue(found, ours.authority)
    return True


def _may_issue(records: Iterable[str], authority: str) -> bool:
    issuers = [
        value for _, tag, value in (each.split(" ", 2) for each in records) if tag == "issue"
    ]
    allowed = [each.partition(";")[0].strip().lower() for each in issuers]
    if not issuers:
        return True
    return authority in allowed if authority else any(allowed)


async def key_fault(names: Names, domain: str, selector: str, key: DkimKey) -> str:
    """
    Why receivers would not find a key in the DNS: "" when they would.

    Raises:
        NoAnswer: the DNS does not say.
    """
    name = record_name(selector, domain)
    try:
        values = await names.look_up(name, "TXT")
        _require(bool(values), f"there is no TXT record at {name}")
        _judge_key(values, key)
    except _Wrong as fault:
        return str(fault)
    return ""


def summary(facts: Facts, checked: Iterable[Checked], *, authorities: bool) -> dict[str, str]:
    """
    All of it in short: "ok" or "error" for each purpose.

    Of the keys only the one in use counts.

    Args:
        authorities: whether a certificate may be issued; False also when that is not known.
    """
    faulty = {
        each.advice.purpose
        for each in checked
        if each.status is not Status.OK and each.advice.selector in ("", facts.selector)
    }
    good = {each.value: each not in faulty for each in _SUMMED}
    good["dkim"] = good["dkim"] and facts.selector in facts.keys
    good |= {"caa": authorities, "validation": facts.approved}
    return {name: "ok" if each else "error" for name, each in good.items()}
