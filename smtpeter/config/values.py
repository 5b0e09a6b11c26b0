"""
Readers of single values: from what TOML holds to what the program uses.

A reader is called with the value as `tomllib` gives it, and returns it in our own type. It
raises `NotAllowed` for any other; the text of that says what would be allowed.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit

from smtpeter.units import (
    Endpoint,
    is_ip_address,
    parse_duration,
    parse_endpoint,
    parse_host,
    parse_rate,
    parse_size,
)

T = TypeVar("T")
Reader = Callable[[object], T]

MAX_ENTRIES = 1000  # of a list

_FIELD_NAME_PREFIX = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,60}-")
_WORD = re.compile(r"[!-~]{1,60}")
_ATOM = "[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]{1,64}"
_LOCAL_PART = re.compile(rf"(?=.{{1,64}}\Z){_ATOM}(?:\.{_ATOM})*")
_FEEDBACK_SENDER = re.compile(r"[A-Za-z0-9-]{5,15}")
_POOL = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,58}[a-z0-9])?")
_DATABASE = re.compile(r"sqlite:///.+|postgresql://.+")


class NotAllowed(ValueError):
    """The value cannot be used; the text says which values can."""


def whole_number(least: int, most: int) -> Reader[int]:
    """A whole number within bounds that are themselves allowed."""

    def read(value: object) -> int:
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        raise NotAllowed(f"a whole number from {least} to {most}")

    return read


def switch(value: object) -> bool:
    if isinstance(value, bool):
        return value
    raise NotAllowed("true or false")


def one_of(*words: str) -> Reader[str]:
    """One of a few fixed words."""

    def read(value: object) -> str:
        if isinstance(value, str) and value in words:
            return value
        raise NotAllowed(" or ".join(f'"{word}"' for word in words))

    return read


def duration(least: str, most: str) -> Reader[int]:
    """Seconds, within bounds that are themselves allowed."""
    allowed = f'a duration from "{least}" to "{most}", written as in "30s", "5m", "2h" or "1d"'
    return _between(parse_duration, least, most, allowed)


def duration_or_never(least: str, most: str) -> Reader[int | None]:
    """The same, or None for what never ends."""
    within = duration(least, most)

    def read(value: object) -> int | None:
        try:
            return None if value == "never" else within(value)
        except NotAllowed as error:
            raise NotAllowed(f'{error}, or "never"') from None

    return read


def size(least: str, most: str) -> Reader[int]:
    """Octets, within bounds that are themselves allowed."""
    allowed = f'a size from "{least}" to "{most}", written as in "{least}", "64KiB" or "50MiB"'
    return _between(parse_size, least, most, allowed)


def rate(value: object) -> float | None:
    """How many per second; None, written as "", is no limit."""
    if value == "":
        return None
    return _parsed(parse_rate, value, 'a rate such as "100/s", "600/m" or "5000/h", or ""')


def word(value: object) -> str:
    if isinstance(value, str) and _WORD.fullmatch(value):
        return value
    raise NotAllowed("one word of up to 60 visible ASCII characters")


def text(value: object) -> str:
    if isinstance(value, str) and "\0" not in value:
        return value
    raise NotAllowed("a string")


def host(value: object) -> str:
    """A host name or address, in lower case."""
    return _parsed(parse_host, value, 'a host name such as "mail.example.com"')


def host_or_nothing(value: object) -> str:
    if value == "":
        return ""
    return _parsed(parse_host, value, 'a host name such as "clicks.example.com", or ""')


def mailbox_or_nothing(value: object) -> str:
    """An e-mail address without quotes."""
    if value == "":
        return ""
    return _parsed(_parse_mailbox, value, 'an e-mail address such as "noor@example.com", or ""')


def feedback_sender(value: object) -> str:
    if value == "" or (isinstance(value, str) and _FEEDBACK_SENDER.fullmatch(value)):
        return value
    raise NotAllowed('5 to 15 letters, digits and hyphens, or ""')


def hosts(value: object) -> tuple[str, ...]:
    """Host names in lower case."""
    return _each_once(parse_host, value, 'a list of host names such as ["ns1.example.com"]')


def address_or_nothing(value: object) -> str:
    if value == "" or (isinstance(value, str) and is_ip_address(value)):
        return str(value)
    raise NotAllowed('an IP address of this machine, or ""')


def addresses(value: object) -> tuple[str, ...]:
    """IP addresses of this machine, without ports."""
    allowed = 'a list of IP addresses of this machine such as ["192.0.2.17", "2001:db8::17"]'
    return _each_once(_parse_address, value, allowed)


def receiver_name(value: object) -> str:
    """The host name that a table is named for, in lower case."""
    return _parsed(parse_host, value, 'a host name in quotes such as "gmail.com"')


def pool_name(value: object) -> str:
    if isinstance(value, str) and _POOL.fullmatch(value):
        return value
    raise NotAllowed('a word of small letters, digits and hyphens such as "newsletters"')


def file_or_nothing(value: object) -> Path | None:
    """A file name, not yet resolved; None, written as "", is no file."""
    return Path(text(value)) if value != "" else None


def directory(value: object) -> Path:
    if isinstance(value, str) and value and "\0" not in value:
        return Path(value)
    raise NotAllowed("the name of a directory")


def database_url(value: object) -> str:
    if isinstance(value, str) and _DATABASE.fullmatch(value):
        return value
    raise NotAllowed('"sqlite:///FILE" or "postgresql://USER@HOST/NAME"')


def public_url(value: object) -> str:
    """An absolute address without a path at its end, or "" to derive it from the listeners."""
    if value == "":
        return ""
    allowed = 'an address such as "https://mail.example.com" without a path, or ""'
    return _parsed(_parse_origin, value, allowed)


def listeners(value: object) -> tuple[Endpoint, ...]:
    """IP addresses of this machine with ports; an empty list switches the listeners off."""
    allowed = 'a list of addresses and ports such as ["0.0.0.0:25", "[::]:25"]'
    endpoints = _each_once(parse_endpoint, value, allowed)
    if not all(endpoint.is_address for endpoint in endpoints):
        raise NotAllowed(allowed + "; host names are not")
    return endpoints


def resolvers(value: object) -> tuple[Endpoint, ...]:
    """Name servers, on port 53 where no port is named; an empty list stands for the system's."""
    return _each_once(_parse_resolver, value, 'a list of name servers such as ["127.0.0.1:5300"]')


def endpoint_or_nothing(value: object) -> Endpoint | None:
    if value == "":
        return None
    return _parsed(parse_endpoint, value, 'a host and a port such as "relay.example.net:587"')


def retry_intervals(value: object) -> tuple[int, ...]:
    """Seconds; the last one repeats."""
    allowed = 'a list of one or more durations from "1s" to "7d", such as ["1m", "5m", "1h"]'
    seconds = _each(parse_duration, value, allowed)
    if seconds and min(seconds) >= 1 and max(seconds) <= parse_duration("7d"):
        return seconds
    raise NotAllowed(allowed)


def field_name_prefixes(value: object) -> tuple[str, ...]:
    """How names of header fields may start, in lower case, each with its hyphen at the end."""
    return _each_once(
        _parse_prefix, value, 'a list of starts of header names such as ["x-example-"]'
    )


def _between(parse: Callable[[str], int], least: str, most: str, allowed: str) -> Reader[int]:
    lowest, highest = parse(least), parse(most)

    def read(value: object) -> int:
        number = _parsed(parse, value, allowed)
        if lowest <= number <= highest:
            return number
        raise NotAllowed(allowed)

    return read


def _parsed(parse: Callable[[str], T], value: object, allowed: str) -> T:
    if isinstance(value, str):
        try:
            return parse(value)
        except ValueError:
            pass
    raise NotAllowed(allowed)


def _each(parse: Callable[[str], T], value: object, allowed: str) -> tuple[T, ...]:
    if not isinstance(value, list) or len(value) > MAX_ENTRIES:
        raise NotAllowed(allowed)
    return tuple(_parsed(parse, each, allowed) for each in value)


def _each_once(parse: Callable[[str], T], value: object, allowed: str) -> tuple[T, ...]:
    entries = _each(parse, value, allowed)
    if len(set(entries)) < len(entries):
        raise NotAllowed(allowed + ", each of them once")
    return entries


def _parse_origin(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or parts.path.strip("/") or "@" in parts.netloc:
        raise ValueError(text)
    if parts.query or parts.fragment or parts.hostname is None:
        raise ValueError(text)
    port = f":{parts.port}" if parts.port else ""
    name = parse_host(parts.hostname)
    return f"{parts.scheme}://[{name}]{port}" if ":" in name else f"{parts.scheme}://{name}{port}"


def _parse_resolver(text: str) -> Endpoint:
    endpoint = Endpoint(parse_host(text), 53) if is_ip_address(text) else parse_endpoint(text)
    if not endpoint.is_address:
        raise ValueError(text)
    return endpoint


def _parse_mailbox(text: str) -> str:
    local, _, host = text.rpartition("@")
    if not _LOCAL_PART.fullmatch(local) or is_ip_address(host):
        raise ValueError(text)
    return f"{local}@{parse_host(host)}"


def _parse_address(text: str) -> str:
    if not is_ip_address(text):
        raise ValueError(text)
    return parse_host(text)


def _parse_prefix(text: str) -> str:
    if not _FIELD_NAME_PREFIX.fullmatch(text):
        raise ValueError(text)
    return text.lower()
