"""What an operator types as the value of an option or argument, and what it means."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

import click

from smtpeter.config import Config
from smtpeter.domains import DomainError, domain_name, sender_domain_name
from smtpeter.message.address import AddressError, Mailbox
from smtpeter.message.features import PRIORITIES, SWITCHES
from smtpeter.store import settings
from smtpeter.store.suppressions import address_key
from smtpeter.units import parse_duration

FEATURE_NAMES = (*SWITCHES, "images")
MAX_TEXT_CHARACTERS = 200
MAX_PASSWORD_OCTETS = 1024
MOST_SECONDS = 100 * 366 * 86_400

_MESSAGE_ID = re.compile(r"[A-Za-z0-9]{16}")
_ARRIVAL = re.compile(r"[1-9][0-9]{0,18}")
_LAST_ARRIVAL = 2**63 - 1  # of what a database takes for a key
_NUMBER = re.compile(r"[1-9][0-9]{0,8}")  # fits the 32 bits that PostgreSQL gives it


def parse_email(text: str) -> str:
    """
    The address of an account, in lower case.

    Raises:
        BadParameter: it is no mailbox.
    """
    try:
        Mailbox.parse(text)
    except AddressError as error:
        raise click.BadParameter(f"{text!r} is no e-mail address: {error}") from None
    return text.lower()


def parse_address(text: str) -> str:
    """
    The address of a recipient, as suppression lists have it.

    Raises:
        BadParameter: it is none.
    """
    try:
        return address_key(Mailbox.parse(text))
    except AddressError as error:
        raise click.BadParameter(f"{text!r} is no e-mail address: {error}") from None


def parse_lifetime(text: str) -> float:
    """
    The seconds of such as "90d"; infinity for "never".

    Raises:
        BadParameter: it is neither, or lasts for no time.
    """
    if text == "never":
        return math.inf
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = 0
    if not 0 < seconds <= MOST_SECONDS:
        raise click.BadParameter(f"{text!r} is no duration such as 12h or 90d, and not never")
    return float(seconds)


def parse_domain(text: str) -> str:
    """
    The name of a domain, in lower case and A-label form.

    Raises:
        BadParameter: it is none.
    """
    try:
        return domain_name(text)
    except DomainError as error:
        raise click.BadParameter(str(error)) from None


def parse_sender_domain(text: str) -> str:
    """
    The same of one that somebody can send from.

    Raises:
        BadParameter: it is none, or a public suffix.
    """
    try:
        return sender_domain_name(text)
    except DomainError as error:
        raise click.BadParameter(str(error)) from None


def parse_line(text: str) -> str:
    """
    A name or label.

    Raises:
        BadParameter: it is too long, or would spoil a line or a terminal.
    """
    if len(text) > MAX_TEXT_CHARACTERS:
        raise click.BadParameter(f"it is longer than {MAX_TEXT_CHARACTERS} characters")
    if not text.isprintable():
        raise click.BadParameter(f"{text!r} holds a control character; allowed is one line of text")
    return text


def parse_feature(text: str) -> tuple[str, bool]:
    """
    The name of a feature and whether it is on, from such as "trackclicks=on".

    Raises:
        BadParameter: there is no such feature, or it is neither on nor off.
    """
    return _parse_switch(text, "feature", FEATURE_NAMES)


def parse_setting(text: str) -> tuple[str, bool | str]:
    """
    The name of a setting and its value, from such as "privacy=on" or "priority=bulk".

    Raises:
        BadParameter: there is no such setting, or it has no such value.
    """
    name, _, value = text.partition("=")
    if name != "priority":
        return _parse_switch(text, "setting", (*settings.SWITCHES, "priority"))
    if value not in PRIORITIES:
        raise click.BadParameter(f"{text!r} names none of {', '.join(PRIORITIES)}")
    return name, value


def parse_number(text: str) -> int:
    """
    The number of a row.

    Raises:
        BadParameter: it is no number, or larger than any in the database.
    """
    if not _NUMBER.fullmatch(text):
        raise click.BadParameter(f"{text!r} is no number such as the list shows")
    return int(text)


def parse_message_id(text: str) -> str:
    """
    The id of a message.

    Raises:
        BadParameter: no message has such an id.
    """
    if not _MESSAGE_ID.fullmatch(text):
        raise click.BadParameter(f"{text!r} is no message id; allowed are 16 letters and digits")
    return text


def known_pool(name: str | None, config: Config) -> str | None:
    """
    The name of a pool of addresses; "" for none, None when nothing was said.

    Raises:
        BadParameter: the configuration has no such pool.
    """
    if name and name not in config.delivery.pools:
        known = ", ".join(config.delivery.pools) or "none"
        raise click.BadParameter(
            f"there is no pool {name!r} in the configuration; there: {known}", param_hint="--pool"
        )
    return name


def parse_arrival(text: str) -> int:
    """
    The key of an arrival.

    Raises:
        BadParameter: no arrival has such a key.
    """
    if not _ARRIVAL.fullmatch(text) or int(text) > _LAST_ARRIVAL:
        raise click.BadParameter(f"{text!r} is no arrival such as the list shows")
    return int(text)


def parse_password(octets: bytes) -> str:
    """
    A password that was piped in: everything but one line ending at its end.

    Raises:
        BadParameter: no client could use it.
    """
    line = octets.removesuffix(b"\n").removesuffix(b"\r")
    if not line:
        raise click.BadParameter("the password on standard input is empty")
    if len(line) > MAX_PASSWORD_OCTETS:
        raise click.BadParameter(f"the password is longer than {MAX_PASSWORD_OCTETS} octets")
    # AUTH PLAIN separates its parts with NUL (RFC 4616 section 2).
    if set(line) & set(b"\r\n\0"):
        raise click.BadParameter("the password holds a line ending or NUL; allowed is one line")
    try:
        return line.decode()
    except UnicodeDecodeError:
        raise click.BadParameter("the password is not UTF-8 text") from None


def _parse_switch(text: str, what: str, names: Sequence[str]) -> tuple[str, bool]:
    name, equals, state = text.partition("=")
    if name not in names:
        raise click.BadParameter(f"{name!r} is no {what}; allowed are {', '.join(names)}")
    if not equals or state not in {"on", "off"}:
        raise click.BadParameter(f"{text!r} says neither {name}=on nor {name}=off")
    return name, state == "on"
