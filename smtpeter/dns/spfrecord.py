"""Which hosts may send mail of a domain: SPF records, written and read (RFC 7208)."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Sequence

from smtpeter.units import is_ip_address
from smtpeter.values import frozen

VERSION = "v=spf1"
# Terms that receivers have to ask the DNS for (RFC 7208 section 4.6.4).
LOOKUP_LIMIT = 10
LOOKUP_MECHANISMS = frozenset({"include", "a", "mx", "ptr", "exists"})
MECHANISMS = ("include", "a", "mx", "ip4", "ip6", "exists", "ptr")

_WITHOUT_VALUE = frozenset({"a", "mx", "ptr"})
_WITH_PREFIX = frozenset({"a", "mx"})

_MACRO = r"%(?:\{[slodiphcrtv]\d{0,3}r?[-.+,/_=]*\}|[%_-])"
# RFC 7208 section 7.1: a domain ends with a dot and a label that is no number, or with a macro.
_ANY_CASE = re.IGNORECASE | re.ASCII
_DOMAIN = re.compile(rf"(?!\.)(?:[a-z0-9_-]|\.(?!\.)|{_MACRO})*", _ANY_CASE)
_END = re.compile(r"\.(?![0-9]+\.?$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.?$|\}$", _ANY_CASE)
_PREFIX = re.compile(r"(?:/(\d|[12]\d|3[0-2]))?(?://(\d|[1-9]\d|1[01]\d|12[0-8]))?", re.ASCII)
_MODIFIER = re.compile(r"([a-z][a-z0-9_.-]*)=(.*)", _ANY_CASE)
_LONGEST_DOMAIN = 253


class SpfError(ValueError):
    """A text is no mechanism or no record; the message of the exception says why."""


@frozen
class Mechanism:
    """
    One term of a record that hosts may match.

    Attributes:
        qualifier: what a match means: "+" pass, "-" fail, "~" softfail, "?" neutral.
        name: one of `MECHANISMS`, or "all".
        domain: "" for the domain itself.
        prefix: for "a" and "mx", how many bits of an address of IPv4, and of IPv6, count.
        network: for "ip4" and "ip6".
    """

    qualifier: str
    name: str
    domain: str = ""
    prefix: tuple[int, int] = (32, 128)
    network: ipaddress.IPv4Network | ipaddress.IPv6Network | None = None


@frozen
class SpfRecord:
    """
    A record as it was read.

    Attributes:
        redirect: the domain whose record counts where no mechanism matches, "" for none.
    """

    mechanisms: tuple[Mechanism, ...]
    redirect: str = ""


def is_spf_record(text: str) -> bool:
    """Whether a TXT record is one of these; others at the same name mean nothing."""
    return text.lower() == VERSION or text.lower().startswith(f"{VERSION} ")


def read_spf_record(text: str) -> SpfRecord:
    """
    Read a record.

    Raises:
        SpfError: it is none; receivers take it for a fault of the whole record.
    """
    version, *terms = text.split(" ")
    if version.lower() != VERSION:
        raise SpfError(f"it does not begin with {VERSION!r}")
    mechanisms: list[Mechanism] = []
    modifiers: dict[str, str] = {}
    for term in filter(None, terms):
        modifier = _MODIFIER.fullmatch(term)
        if modifier is None:
            mechanisms.append(_mechanism(term))
            continue
        name, value = modifier[1].lower(), modifier[2]
        if name in modifiers and name in {"redirect", "exp"}:
            raise SpfError(f"{name}= is there twice")
        modifiers[name] = value
    redirect = modifiers.get("redirect", "")
    if "redirect" in modifiers:
        _check_domain(redirect, "redirect")
    return SpfRecord(tuple(mechanisms), redirect)


def spf_record(terms: Sequence[str]) -> str:
    """The text of the TXT record that allows what the terms say, and nothing else."""
    return " ".join((VERSION, *terms, "-all"))


def address_terms(addresses: Sequence[str]) -> list[str]:
    """A term for each address."""
    return [f"ip6:{each}" if ":" in each else f"ip4:{each}" for each in addresses]


def mechanism_term(text: str) -> str:
    """
    A mechanism that somebody wants to have in the record of a domain, in the usual form.

    Args:
        text: "NAME:VALUE", such as "ip4:198.51.100.0/24" or "include:spf.example.net"; without
            a value "a", "mx" and "ptr" are about the domain itself. "ip" is "ip4" or "ip6".

    Raises:
        SpfError: it is none.
    """
    name, _, value = text.partition(":")
    name = name.strip().lower()
    if name == "ip":
        name = "ip6" if ":" in value else "ip4"
    bare = re.split("/", name, maxsplit=1)[0]
    if bare not in MECHANISMS:
        raise SpfError(f"{text!r} is no mechanism of SPF; allowed are {', '.join(MECHANISMS)}, ip")
    term = f"{name}:{value}" if value else name
    read = _mechanism(term)
    if read.network is not None:
        plain = read.network.num_addresses == 1
        return f"{read.name}:{read.network.network_address if plain else read.network}"
    return term.lower() if "%" not in term else term


def looks_up(term: str) -> bool:
    """Whether receivers have to ask the DNS for a term, of which there may be `LOOKUP_LIMIT`."""
    return _mechanism(term).name in LOOKUP_MECHANISMS


def _mechanism(term: str) -> Mechanism:
    qualifier = term[0] if term[0] in "+-~?" else ""
    name, colon, value = term[len(qualifier) :].partition(":")
    if not colon:
        name, slash, rest = name.partition("/")
        value = f"{slash}{rest}"
    name = name.lower()
    qualifier = qualifier or "+"
    if name == "all" and not colon and not value:
        return Mechanism(qualifier, name)
    if name not in MECHANISMS:
        raise SpfError(f"{term!r} is no mechanism")
    if name in {"ip4", "ip6"}:
        return Mechanism(qualifier, name, network=_network(name, value))
    domain, prefix = _without_prefix(value) if name in _WITH_PREFIX else (value, (32, 128))
    if domain or colon or name not in _WITHOUT_VALUE:
        _check_domain(domain, name)
    return Mechanism(qualifier, name, domain.removesuffix("."), prefix)


def _network(name: str, value: str) -> ipaddress.IPv4Network | ipaddress.IPv6Network:
    version = int(name[-1])
    try:
        network = ipaddress.ip_network(value, strict=False)
    except ValueError:
        raise SpfError(f"{value!r} is no address or network for {name}") from None
    address, _, prefix = value.partition("/")
    if network.version != version or not is_ip_address(address) or not _is_prefix(value, prefix):
        raise SpfError(f"{value!r} is no address or network for {name}")
    return network


def _is_prefix(value: str, prefix: str) -> bool:
    """Python takes "/255.0.0.0" as well, which SPF does not."""
    return "/" not in value or (
        prefix.isascii() and prefix.isdigit() and prefix == str(int(prefix))
    )


def _without_prefix(value: str) -> tuple[str, tuple[int, int]]:
    """Part a domain from the lengths behind it, as in "a:shop.example/24//64"."""
    # a macro may hold slashes of its own
    start = value.find("/", value.rfind("}") + 1)
    if start < 0:
        return value, (32, 128)
    match = _PREFIX.fullmatch(value, start)
    if match is None:
        raise SpfError(f"{value[start:]!r} is no length of a prefix")
    four, six = match.groups()
    return value[:start], (int(four or 32), int(six or 128))


def _check_domain(text: str, name: str) -> None:
    if len(text) > _LONGEST_DOMAIN or not _DOMAIN.fullmatch(text) or not _END.search(text):
        raise SpfError(f"{text!r} is no domain for {name}")
