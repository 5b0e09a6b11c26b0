"""Records that Twisted hands on as they came over the wire."""

from __future__ import annotations

from typing import Self

from smtpeter.values import frozen

TLSA = 52
CAA = 257


@frozen
class TlsaRecord:
    """
    Which certificate a server has to present (RFC 6698 section 2.1).

    Attributes:
        usage, selector, matching: numbers, as the record has them.
        data: what is to be compared: the whole, or a digest.
    """

    usage: int
    selector: int
    matching: int
    data: bytes

    @classmethod
    def from_wire(cls, octets: bytes) -> Self:
        """Read a record's data; what is cut short is of a usage that nobody knows."""
        if len(octets) < 3:
            return cls(255, 255, 255, b"")
        usage, selector, matching = octets[:3]
        return cls(usage, selector, matching, octets[3:])


@frozen
class CaaRecord:
    """
    Which authority may issue certificates (RFC 8659 section 4.1).

    Attributes:
        tag: in lower case: issue, issuewild, iodef, or another.
    """

    critical: bool
    tag: str
    value: str

    @classmethod
    def from_wire(cls, octets: bytes) -> Self:
        """Read a record's data; what is cut short is critical and has no tag."""
        if len(octets) < 2 or octets[1] > len(octets) - 2:
            return cls(critical=True, tag="", value="")
        end = 2 + octets[1]
        tag, value = octets[2:end], octets[end:]
        critical = bool(octets[0] & 128)
        return cls(
            critical, tag.decode("ascii", "replace").lower(), value.decode("utf-8", "replace")
        )
