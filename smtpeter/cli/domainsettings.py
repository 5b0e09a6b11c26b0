"""What an operator says of a sender domain: the options, and what they come to."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from typing import Any, Final, Literal, TypeVar

import click
from attrs import evolve

from smtpeter.cli.values import known_pool, parse_email
from smtpeter.config import Config
from smtpeter.dns.dmarc import POLICIES, WHOLE_PERCENTAGE, Dmarc
from smtpeter.dns.spfrecord import LOOKUP_LIMIT, SpfError, looks_up, mechanism_term
from smtpeter.domains import DomainError, host_for, report_address_of
from smtpeter.store.domains import SenderDomain
from smtpeter.values import frozen

MOST_ADDRESSES = 10
MOST_MECHANISMS = 20
NO_DATE: Final = "none"

_F = TypeVar("_F", bound=Callable[..., Any])


def parse_date(text: str) -> date | Literal["none"]:
    """
    A day such as "2031-01-31"; "none" takes one away.

    Raises:
        BadParameter: it is neither.
    """
    if text == NO_DATE:
        return NO_DATE
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or day.isoformat() != text:
        raise click.BadParameter(f"{text!r} is no date such as '2031-01-31', nor {NO_DATE!r}")
    return day


def parse_mechanism(text: str) -> str:
    """
    A mechanism of SPF in its usual form.

    Raises:
        BadParameter: it is none.
    """
    try:
        return mechanism_term(text)
    except SpfError as error:
        raise click.BadParameter(str(error)) from None


_OPTIONS = (
    click.option("--tracking", metavar="HOST", help="Where tracked links point."),
    click.option("--bounces", metavar="HOST", help="Where bounces go."),
    click.option(
        "--https",
        type=click.Choice(["on", "off"]),
        help="Whether tracked links begin with https: instead of http:.",
    ),
    click.option(
        "--policy",
        type=click.Choice(POLICIES),
        help="DMARC: what receivers shall do with mail that is not from the domain.",
    ),
    click.option(
        "--percentage",
        type=click.IntRange(0, WHOLE_PERCENTAGE),
        help="DMARC: of how much of it.",
    ),
    click.option(
        "--startdate",
        metavar="DATE",
        type=parse_date,
        help="DMARC: until this day the percentage is 0.",
    ),
    click.option(
        "--enddate",
        metavar="DATE",
        type=parse_date,
        help="DMARC: from this day it is whole; in between it grows.",
    ),
    click.option(
        "--address",
        "addresses",
        metavar="EMAIL",
        type=parse_email,
        multiple=True,
        help="DMARC: gets reports too. May be repeated.",
    ),
    click.option("--pool", metavar="NAME", help="Of source addresses; '' for the account's."),
    click.option(
        "--spf",
        "mechanisms",
        metavar="MECHANISM:VALUE",
        type=parse_mechanism,
        multiple=True,
        help="SPF: who may send mail of the domain besides us. May be repeated.",
    ),
)
_REMOVING_OPTIONS = (
    click.option(
        "--remove-address",
        "removed",
        metavar="EMAIL",
        type=parse_email,
        multiple=True,
        help="DMARC: gets no reports any more. May be repeated.",
    ),
    click.option("--clear-spf", is_flag=True, help="SPF: forget who else may send its mail."),
)


@frozen
class Said:
    """What the options say; None and nothing for what they do not speak of."""

    tracking: str | None = None
    bounces: str | None = None
    https: str | None = None
    policy: str | None = None
    percentage: int | None = None
    startdate: date | Literal["none"] | None = None
    enddate: date | Literal["none"] | None = None
    addresses: tuple[str, ...] = ()
    pool: str | None = None
    mechanisms: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()
    clear_spf: bool = False

    def __bool__(self) -> bool:
        """Whether they say anything."""
        return self != Said()


def settings_options(command: _F) -> _F:
    """The options that `domain add` and `domain set` share, for `Said`."""
    return _decorated(command, _OPTIONS)


def removing_options(command: _F) -> _F:
    """Those that take away what was there."""
    return _decorated(command, _REMOVING_OPTIONS)


def _decorated(command: _F, options: Sequence[Callable[[_F], _F]]) -> _F:
    for option in reversed(options):
        command = option(command)
    return command


def changes(said: Said, domain: SenderDomain, config: Config) -> dict[str, Any]:
    """
    New values of attributes of a domain.

    Raises:
        BadParameter: something cannot be; nothing is changed then.
    """
    changed: dict[str, Any] = {
        "tracking_host": _host(domain.name, said.tracking, "--tracking"),
        "bounce_host": _host(domain.name, said.bounces, "--bounces"),
        "https": None if said.https is None else said.https == "on",
        "dmarc": _dmarc(said, domain.dmarc),
        "addresses": _addresses(said, domain, config),
        "pool": known_pool(said.pool, config),
        "mechanisms": _mechanisms(said, domain),
    }
    return {
        name: value
        for name, value in changed.items()
        if value is not None and value != getattr(domain, name)
    }


def _host(name: str, text: str | None, option: str) -> str | None:
    if text is None:
        return None
    try:
        return host_for(name, text)
    except DomainError as error:
        raise click.BadParameter(str(error), param_hint=option) from None


def _dmarc(said: Said, dmarc: Dmarc) -> Dmarc:
    if said.policy is not None:
        dmarc = evolve(dmarc, policy=said.policy)
    if said.percentage is not None:
        dmarc = evolve(dmarc, percentage=said.percentage)
    if said.startdate is not None:
        dmarc = evolve(dmarc, startdate=_day(said.startdate))
    if said.enddate is not None:
        dmarc = evolve(dmarc, enddate=_day(said.enddate))
    if dmarc.startdate and dmarc.enddate and dmarc.enddate < dmarc.startdate:
        raise click.BadParameter(
            f"{dmarc.enddate} is before the start on {dmarc.startdate}", param_hint="--enddate"
        )
    return dmarc


def _day(said: date | Literal["none"]) -> date | None:
    return said if isinstance(said, date) else None


def _addresses(said: Said, domain: SenderDomain, config: Config) -> tuple[str, ...]:
    ours = report_address_of(config.tracking.bounce_host)
    if said.addresses and domain.approved is None:
        raise click.BadParameter(
            f"{domain.name} is not approved yet; only then it may have more addresses",
            param_hint="--address",
        )
    for each in said.removed:
        if each == ours:
            raise click.BadParameter(
                f"{each} is the service's own, and stays", param_hint="--remove-address"
            )
        if each not in domain.addresses:
            raise click.BadParameter(
                f"{each} is no address of {domain.name}", param_hint="--remove-address"
            )
    kept = [each for each in domain.addresses if each not in said.removed]
    kept += [each for each in said.addresses if each != ours]
    return _each_once(kept, MOST_ADDRESSES, "--address", "addresses")


def _mechanisms(said: Said, domain: SenderDomain) -> tuple[str, ...]:
    kept = () if said.clear_spf else domain.mechanisms
    terms = _each_once((*kept, *said.mechanisms), MOST_MECHANISMS, "--spf", "mechanisms")
    # whoever includes our record has one lookup less (RFC 7208 section 4.6.4)
    limit = LOOKUP_LIMIT - 1
    if sum(map(looks_up, terms)) > limit:
        raise click.BadParameter(
            f"more than {limit} mechanisms have to be looked up; receivers give up then",
            param_hint="--spf",
        )
    return terms


def _each_once(values: Sequence[str], most: int, option: str, what: str) -> tuple[str, ...]:
    once = tuple(dict.fromkeys(values))
    if len(once) > most:
        raise click.BadParameter(f"a domain has {most} {what} at most", param_hint=option)
    return once
