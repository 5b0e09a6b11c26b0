"""TLS records, as far as they can be told apart from outside (RFC 8446 section 5.1)."""

from __future__ import annotations

HEADER_OCTETS = 5  # a type, a version, and in two octets the length of what follows


class RecordCounter:
    """Counts the records that have arrived whole, in whatever pieces they come."""

    def __init__(self) -> None:
        self._header = b""  # of a record whose length is not known yet
        self._missing = 0  # octets of the record that has begun

    def feed(self, octets: bytes) -> int:
        """Take in what came; gives the number of records that it completes."""
        count = 0
        if self._header:
            octets = self._header + octets
            self._header = b""
        position = self._missing
        while position <= len(octets):
            if position:
                count += 1
            rest = octets[position : position + HEADER_OCTETS]
            if len(rest) < HEADER_OCTETS:
                self._header = rest
                self._missing = 0
                return count
            position += HEADER_OCTETS + int.from_bytes(rest[3:])
        self._missing = position - len(octets)
        return count
