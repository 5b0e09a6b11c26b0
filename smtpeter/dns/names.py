"""What is asked of the DNS, by whoever checks what is published."""

from __future__ import annotations

from typing import Protocol


class NoAnswer(Exception):
    """The DNS did not answer in time, or could not; the text is for people."""


class Names(Protocol):
    """The DNS, as far as it is needed here."""

    async def look_up(self, name: str, kind: str) -> tuple[str, ...]:
        """
        The records of one kind at a name, aliases followed; none is no error.

        Args:
            name: A-labels, in lower case.
            kind: "A", "AAAA", "CAA", "CNAME", "MX" or "TXT".

        Returns:
            A text for each: an address; for CAA "0 issue letsencrypt.org"; for CNAME the
            name that stands for this one; for MX "10 mail.example.com"; for TXT its strings,
            put together. Names are in lower case, without the final dot.

        Raises:
            NoAnswer: nobody knows.
        """


async def addresses_of(names: Names, host: str) -> tuple[str, ...]:
    """The addresses of a host, those of IPv4 first. Raises `NoAnswer`."""
    return (*await names.look_up(host, "A"), *await names.look_up(host, "AAAA"))
