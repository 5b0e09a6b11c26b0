import math
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.units import (
    OCTETS,
    SECONDS,
    Endpoint,
    is_ip_address,
    parse_duration,
    parse_endpoint,
    parse_host,
    parse_rate,
    parse_size,
    parse_time,
)

NUMBERS = st.integers(0, 10**12 - 1)
PORTS = st.integers(1, 65535)
LABELS = st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True)
NAMES = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
ADDRESSES = st.ip_addresses().map(str).filter(lambda text: "%" not in text)
READERS = (parse_duration, parse_size, parse_rate, parse_endpoint, parse_host, parse_time)


class DurationTests(SynchronousTestCase):
    """Durations are a whole number and one unit."""

    def test_units(self) -> None:
        """Seconds, minutes, hours and days are known."""
        self.assertEqual(
            [30, 300, 7200, 86400], [parse_duration(text) for text in ("30s", "5m", "2h", "1d")]
        )

    @given(NUMBERS, st.sampled_from(sorted(SECONDS)))
    def test_every_number(self, number: int, unit: str) -> None:
        """Any whole number goes with any unit."""
        self.assertEqual(number * SECONDS[unit], parse_duration(f"{number}{unit}"))

    def test_refused(self) -> None:
        """Signs, fractions, blanks, other units, other digits and bare numbers are no durations."""
        for text in (
            "",
            "5",
            "m",
            "-5m",
            "1.5h",
            "5 m",
            " 5m",
            "5m\n",
            "5M",
            "1w",
            "\u0665m",
            "1h30m",
        ):
            with self.assertRaises(ValueError, msg=text):
                parse_duration(text)


class SizeTests(SynchronousTestCase):
    """Sizes are a whole number and one binary unit."""

    def test_units(self) -> None:
        """Units are powers of 1024."""
        self.assertEqual(
            [512, 65536, 52428800, 1073741824],
            [parse_size(text) for text in ("512B", "64KiB", "50MiB", "1GiB")],
        )

    @given(NUMBERS, st.sampled_from(sorted(OCTETS)))
    def test_every_number(self, number: int, unit: str) -> None:
        """Any whole number goes with any unit."""
        self.assertEqual(number * OCTETS[unit], parse_size(f"{number}{unit}"))

    def test_refused(self) -> None:
        """Decimal units are refused, since two readers would take them for two sizes."""
        for text in ("", "50", "50MB", "50M", "50mib", "5.5MiB", "-1MiB", "50 MiB"):
            with self.assertRaises(ValueError, msg=text):
                parse_size(text)


class RateTests(SynchronousTestCase):
    """Rates are a whole number per unit of time."""

    def test_per_second(self) -> None:
        """Whatever the unit, the value is per second."""
        self.assertEqual([100.0, 10.0, 1.25], [parse_rate(t) for t in ("100/s", "600/m", "4500/h")])

    @given(st.integers(1, 10**9), st.sampled_from(sorted(SECONDS)))
    def test_every_number(self, number: int, unit: str) -> None:
        """As many as were written pass within the unit."""
        self.assertTrue(math.isclose(number, parse_rate(f"{number}/{unit}") * SECONDS[unit]))

    def test_refused(self) -> None:
        """A rate of nothing is refused: it would stop delivery without saying so."""
        for text in ("", "0/s", "600", "600/", "/m", "-1/s", "1.5/s", "600/min", "600 / m"):
            with self.assertRaises(ValueError, msg=text):
                parse_rate(text)


class EndpointTests(SynchronousTestCase):
    """Endpoints are a host and a port."""

    @given(st.one_of(NAMES, ADDRESSES), PORTS)
    def test_round_trip(self, host: str, port: int) -> None:
        """What an endpoint prints is read back as the same endpoint."""
        endpoint = Endpoint(host, port)
        self.assertEqual(endpoint, parse_endpoint(str(endpoint)))

    def test_forms(self) -> None:
        """IPv4, IPv6 in brackets, and names are known; case and length are evened out."""
        self.assertEqual(
            [Endpoint("0.0.0.0", 25), Endpoint("::1", 25), Endpoint("relay.example.net", 587)],  # noqa: S104
            [parse_endpoint(t) for t in ("0.0.0.0:25", "[0:0::1]:25", "Relay.Example.NET:587")],
        )

    def test_kinds(self) -> None:
        """An endpoint knows whether its host is an address."""
        self.assertTrue(Endpoint("::1", 25).is_address)
        self.assertFalse(Endpoint("localhost", 25).is_address)

    def test_refused(self) -> None:
        """Missing, surplus and impossible parts are refused."""
        for text in (
            "",
            ":25",
            "host",
            "host:",
            "host:0",
            "host:65536",
            "host:smtp",
            "::1:25",
            "[::1]",
            "[::g]:25",
            "[127.0.0.1]:25",
            "[fe80::1%eth0]:25",
            "a b:25",
            "300.1.1.1:25",
            "-a.example:25",
            "a..example:25",
            "h:25\n",
        ):
            with self.assertRaises(ValueError, msg=text):
                parse_endpoint(text)


class HostTests(SynchronousTestCase):
    """A host is a name or an address."""

    def test_long_name(self) -> None:
        """A name longer than the DNS can carry is refused."""
        name = ".".join(["a" * 63] * 3 + ["b" * 61])
        self.assertEqual(name, parse_host(name))
        self.assertRaises(ValueError, parse_host, name + "b")

    def test_addresses(self) -> None:
        """An address with a zone is not one that others can use."""
        self.assertTrue(is_ip_address("2001:db8::1"))
        self.assertFalse(is_ip_address("fe80::1%eth0"))


class TimeTests(SynchronousTestCase):
    """Dates and times are read to the second."""

    def test_forms(self) -> None:
        """A time is one of UTC where no zone is named, and midnight where none stands."""
        for text in (
            "2023-11-14 22:13:20",
            "2023-11-14T22:13:20Z",
            "2023-11-14T23:13:20+01:00",
            "2023-11-14T22:13:20.999999Z",
        ):
            self.assertEqual(1_700_000_000.0, parse_time(text), text)
        self.assertEqual(1_699_920_000.0, parse_time("2023-11-14"))

    def test_ends(self) -> None:
        """What is read can be written again: UTC has no years but those from 1 to 9999."""
        for text in ("0001-01-01T00:00:00", "9999-12-31T23:59:59.999999"):
            seconds = parse_time(text)
            self.assertEqual(text[:19], datetime.fromtimestamp(seconds, UTC).isoformat()[:19])
        for text in ("0001-01-01T00:00:00+00:01", "9999-12-31T23:59:59-00:01", "soon", ""):
            with self.assertRaises(ValueError, msg=text):
                parse_time(text)


class NoiseTests(SynchronousTestCase):
    """Nothing but ValueError comes out of a parser."""

    @given(st.text(max_size=30), st.sampled_from(READERS))
    def test_any_text(self, text: str, read: object) -> None:
        """Any text is either read or refused."""
        assert callable(read)
        try:
            value = read(text)
        except ValueError:
            return
        self.assertIsNotNone(value)
