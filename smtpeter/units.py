"""How durations, times, sizes, rates and endpoints are written, and what they mean."""

from __future__ import annotations

import ipaddress
import re
from datetime import UTC, datetime

from smtpeter.values import frozen

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
OCTETS = {"B": 1, "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3}

_MAX_DIGITS = 12  # more than any sensible value needs
_DURATION = re.compile(rf"([0-9]{{1,{_MAX_DIGITS}}})(s|m|h|d)")
_SIZE = re.compile(rf"([0-9]{{1,{_MAX_DIGITS}}})(B|KiB|MiB|GiB)")
_RATE = re.compile(rf"([0-9]{{1,{_MAX_DIGITS}}})/(s|m|h|d)")
_ENDPOINT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)\]|([^\[\]:\s]+)):([0-9]{1,5})")
_LABEL = re.compile(r"(?!-)[A-Za-z0-9-]{1,63}(?<!-)")
_MAX_HOST_CHARACTERS = 253  # RFC 1035 section 2.3.4, without the root


@frozen
class Endpoint:
    """
    A host and a port. Written "192.0.2.1:25", "mail.example.com:25" or "[2001:db8::1]:25".

    Attributes:
        host: an IP address in its shortest form, or a host name in lower case.
        port: from 1 to 65535.
    """

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"

    @property
    def is_address(self) -> bool:
        """True for an IP address, False for a name."""
        return is_ip_address(self.host)


def parse_duration(text: str) -> int:
    """
    The seconds of "30s", "5m", "2h" or "1d".

    Raises:
        ValueError: it is written in another way.
    """
    number, unit = _matched(_DURATION, text, "duration")
    return int(number) * SECONDS[unit]


def parse_time(text: str) -> float:
    """
    The seconds since the epoch of such as "2031-01-31 12:00:00", in UTC where no zone is named.

    Raises:
        ValueError: it is written in another way, or is in no year of UTC from 1 to 9999.
    """
    time = datetime.fromisoformat(text).replace(microsecond=0)
    try:
        return time.replace(tzinfo=time.tzinfo or UTC).astimezone(UTC).timestamp()
    except OverflowError:
        raise ValueError(f"not a time: {text!r}") from None


def parse_size(text: str) -> int:
    """
    The octets of "512B", "64KiB", "50MiB" or "1GiB".

    Raises:
        ValueError: it is written in another way.
    """
    number, unit = _matched(_SIZE, text, "size")
    return int(number) * OCTETS[unit]


def parse_rate(text: str) -> float:
    """
    How many per second "100/s", "600/m" or "5000/h" is.

    Raises:
        ValueError: it is written in another way, or nothing at all may pass.
    """
    number, unit = _matched(_RATE, text, "rate")
    if not int(number):
        raise ValueError(f"not a rate: {text!r}")
    return int(number) / SECONDS[unit]


def parse_endpoint(text: str) -> Endpoint:
    """
    The host and port of "192.0.2.1:25", "mail.example.com:25" or "[2001:db8::1]:25".

    Raises:
        ValueError: it is written in another way, or the port is out of range.
    """
    match = _ENDPOINT.fullmatch(text)
    if match is None:
        raise ValueError(f"not a host and a port: {text!r}")
    bracketed, plain, port = match.groups()
    host = str(ipaddress.IPv6Address(bracketed)) if bracketed else parse_host(plain)
    if not 1 <= int(port) <= 65535:
        raise ValueError(f"not a port: {port!r}")
    return Endpoint(host, int(port))


def parse_host(text: str) -> str:
    """
    A host name in lower case, or an IP address in its shortest form (RFC 1123 section 2.1).

    Raises:
        ValueError: it is neither.
    """
    if is_ip_address(text):
        return str(ipaddress.ip_address(text))
    labels = text.split(".")
    # a name that ends in digits would be read as a broken IPv4 address
    if len(text) > _MAX_HOST_CHARACTERS or labels[-1].isdigit():
        raise ValueError(f"not a host: {text!r}")
    if not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError(f"not a host: {text!r}")
    return text.lower()


def is_ip_address(text: str) -> bool:
    """True for an IPv4 or IPv6 address without brackets and without a zone."""
    try:
        return "%" not in str(ipaddress.ip_address(text))
    except ValueError:
        return False


def _matched(pattern: re.Pattern[str], text: str, kind: str) -> tuple[str, str]:
    match = pattern.fullmatch(text)
    if match is None:
        raise ValueError(f"not a {kind}: {text!r}")
    return match[1], match[2]
