"""
Where mail really goes: the receiver behind a set of mail exchangers, and what it is spared.

The knowledge about large houses is in `providers.toml`.
"""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from smtpeter.units import parse_host, parse_rate
from smtpeter.values import frozen

FILE = "providers.toml"
NAME_CHARACTERS = 200  # of a receiver
MOST_CONNECTIONS = 10_000
MOST_MESSAGES = 1_000_000

_KEYS = frozenset({"name", "hosts", "connections", "messages_per_connection", "rate"})
_BELOW = "*."
_DIGEST_CHARACTERS = 8
_HOST_CHARACTERS = 150  # of a name that is made of a set
# Names of hosts come from DNS, where they may hold any octet.
_UNPRINTED = re.compile(r"[^a-z0-9._:\[\]-]+")


class ProviderError(ValueError):
    """An entry of the file cannot be used; the message says which, and why."""


@frozen
class ProviderLimits:
    """
    What a house is spared unless the operator decided otherwise.

    Attributes:
        connections: at the same time.
        messages_per_connection: then a new connection is made.
        messages_per_second: None for no fixed limit.
    """

    connections: int
    messages_per_connection: int
    messages_per_second: float | None


@frozen
class Providers:
    """
    All houses.

    Attributes:
        limits: by name.
        hosts: names by host.
        parents: names by what hosts of theirs are below.
    """

    limits: Mapping[str, ProviderLimits]
    hosts: Mapping[str, str]
    parents: Mapping[str, str]

    def of(self, host: str) -> str | None:
        """The name of the house that a host belongs to; the host is in lower case."""
        if host in self.hosts:
            return self.hosts[host]
        labels = host.split(".")
        for start in range(1, len(labels)):
            parent = ".".join(labels[start:])
            if parent in self.parents:
                return self.parents[parent]
        return None


def receiver_name(hosts: Sequence[str], backups: Sequence[str] = ()) -> str:
    """
    The name of the receiver that takes mail for a domain.

    It is that of a house when all of `hosts` are its own, whatever the backups are. Otherwise
    it stands for the set of all hosts, in whatever order and at whatever preference: that of
    the only host, or of the alphabetically first one with the number of the others and a
    digest of the set, as in "mx1.example.net.plus-2-9f3c1a7e". Either can stand where a host
    name can.

    Args:
        hosts: the most preferred mail exchangers of the domain, one or more; of a domain
            without MX records, the domain itself.
        backups: the others.

    Raises:
        ValueError: there is no host.
    """
    preferred = {_plain(host) for host in hosts}
    if not preferred:
        raise ValueError("no host takes the mail")
    names = {providers().of(host) for host in preferred}
    if len(names) == 1 and (name := names.pop()) is not None:
        return name
    return _name_of_set(preferred.union(map(_plain, backups)))


def provider_limits(name: str) -> ProviderLimits | None:
    """What the house of that name is spared; None for any other receiver."""
    return providers().limits.get(name)


@cache
def providers() -> Providers:
    """
    What the file says. Reading it takes longer than the reactor may wait.

    Raises:
        ProviderError: an entry cannot be used.
    """
    text = files(__package__).joinpath(FILE).read_text("utf-8")
    return read_providers(tomllib.loads(text))


def read_providers(document: Mapping[str, Any]) -> Providers:
    """
    What a parsed file says.

    Raises:
        ProviderError: an entry cannot be used.
    """
    if set(document) != {"provider"} or not isinstance(document["provider"], list):
        raise ProviderError(f"{FILE}: only [[provider]] may stand in it")
    limits: dict[str, ProviderLimits] = {}
    patterns: dict[str, str] = {}
    for number, table in enumerate(document["provider"], start=1):
        try:
            name = _host(table["name"])
            _once(limits, name, _limits(table))
            for pattern in _patterns(table["hosts"]):
                _once(patterns, pattern, name)
        except (ValueError, TypeError, KeyError) as fault:
            raise ProviderError(f"{FILE}: provider {number}: {fault}") from fault
    return Providers(
        limits,
        {host: name for host, name in patterns.items() if not host.startswith(_BELOW)},
        {
            pattern.removeprefix(_BELOW): name
            for pattern, name in patterns.items()
            if pattern.startswith(_BELOW)
        },
    )


def _limits(table: Mapping[str, Any]) -> ProviderLimits:
    if unknown := set(table) - _KEYS:
        raise ValueError(f"unknown key {min(unknown)!r}")
    return ProviderLimits(
        _number(table, "connections", MOST_CONNECTIONS),
        _number(table, "messages_per_connection", MOST_MESSAGES),
        parse_rate(table["rate"]) if "rate" in table else None,
    )


def _number(table: Mapping[str, Any], key: str, most: int) -> int:
    found = table[key]
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found <= most:
        raise ValueError(f"{key} is a whole number from 1 to {most}")
    return found


def _patterns(found: object) -> Iterator[str]:
    if not isinstance(found, list) or not found:
        raise TypeError("hosts is a list of names")
    for pattern in found:
        if not isinstance(pattern, str):
            raise TypeError("hosts is a list of names")
        below = _BELOW if pattern.startswith(_BELOW) else ""
        yield below + _host(pattern.removeprefix(_BELOW))


def _host(text: str) -> str:
    if parse_host(text) != text or "." not in text:
        raise ValueError(f"not a host name in lower case: {text!r}")
    return text


def _once(table: dict[str, Any], key: str, value: object) -> None:
    if key in table:
        raise ValueError(f"{key!r} is there twice")
    table[key] = value


def _plain(host: str) -> str:
    return host.lower().removesuffix(".")


def _name_of_set(hosts: set[str]) -> str:
    first, *others = sorted(hosts)
    shown = _UNPRINTED.sub("-", first)
    if not others and shown == first and len(first) <= NAME_CHARACTERS:
        return first
    digest = hashlib.sha256("\n".join([first, *others]).encode("utf-8", "surrogatepass"))
    mark = digest.hexdigest()[:_DIGEST_CHARACTERS]
    return f"{shown[:_HOST_CHARACTERS]}.plus-{len(others)}-{mark}"
