"""Our own zone, which sender domains point into, as a file for name servers (RFC 1035)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import date

from smtpeter.dns.dmarc import dmarc_record
from smtpeter.dns.records import Facts, Record, dmarc_host, key_host, spf_host
from smtpeter.dns.spfrecord import spf_record
from smtpeter.message.dkimrecord import key_record

TTL_SECONDS = 300
STRING_OCTETS = 255  # RFC 1035 section 3.3

# For the servers of the zone among themselves, and for names that are not there.
_SOA_TIMES = (3600, 900, 14 * 86_400, TTL_SECONDS)
_PRINTABLE = range(0x20, 0x7F)


def senders_host(zone: str) -> str:
    """Where our zone has all addresses that mail is sent from; the name of the zone has, too."""
    return f"_senderspf.{zone}"


def zone_records(
    domains: Iterable[Facts], sender_terms: Sequence[str], zone: str, day: date
) -> Iterator[Record]:
    """
    What our zone has.

    Args:
        sender_terms: for SPF, of all that mail is sent from.
    """
    for host in (zone, senders_host(zone)):
        yield Record(host, "TXT", spf_record(sender_terms))
    for each in domains:
        for selector, key in each.keys.items():
            yield Record(key_host(each, selector, zone), "TXT", key_record(key))
        yield Record(spf_host(each, zone), "TXT", spf_record(each.terms))
        yield Record(dmarc_host(each, zone), "TXT", dmarc_record(each.dmarc, each.reports, day))


def zone_file(
    records: Iterable[Record], zone: str, nameservers: Sequence[str], hostname: str, serial: int
) -> str:
    """
    The file; the names in it are relative to the zone.

    Args:
        records: at or below the zone.
        nameservers: of the zone. Without any SOA and NS are left out, for a file that is
            included.
        hostname: of this service, for the address of who looks after the zone.
        serial: a number that grows.
    """
    lines = [f"$ORIGIN {zone}.", f"$TTL {TTL_SECONDS}"]
    if nameservers:
        times = " ".join(map(str, _SOA_TIMES))
        lines.append(f"@ SOA {nameservers[0]}. hostmaster.{hostname}. {serial} {times}")
        lines += [f"@ NS {each}." for each in nameservers]
    lines += [
        f"{_relative(each.name, zone)} {each.kind} {_strings(each.value)}" for each in records
    ]
    return "\n".join(lines)


def _relative(name: str, zone: str) -> str:
    return "@" if name == zone else name.removesuffix(f".{zone}")


def _strings(text: str) -> str:
    """The value of a TXT record: strings that are not too long, in quotes."""
    octets = text.encode()
    pieces = [
        octets[start : start + STRING_OCTETS] for start in range(0, len(octets), STRING_OCTETS)
    ]
    return " ".join(f'"{"".join(map(_escaped, piece))}"' for piece in pieces)


def _escaped(octet: int) -> str:
    if octet in b'"\\':
        return f"\\{chr(octet)}"
    return chr(octet) if octet in _PRINTABLE else f"\\{octet:03}"
