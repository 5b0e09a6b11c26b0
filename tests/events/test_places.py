from __future__ import annotations

import builtins
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.config import ConfigError
from smtpeter.events.places import NOWHERE, Place, Places
from tests.events.mmdb import write_mmdb

UTRECHT = {
    "city": {"names": {"nl": "Utrecht", "en": "Utrecht"}},
    "country": {"iso_code": "NL", "names": {"en": "Netherlands"}},
    "subdivisions": [{"iso_code": "UT"}, {"iso_code": "XX"}],
}
LYON = {"city": {"names": {"en": "Lyon"}}, "country": {"iso_code": "FR"}}
_json = st.recursive(
    st.none() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["city", "country", "names", "en", "iso_code", "subdivisions"]), inner
        )
    ),
)


class FewRecords:
    """A database file with one network in it."""

    def __init__(self, record: object = UTRECHT) -> None:
        self.record = record
        self.asked: list[str] = []

    def get(self, ip_address: str, /) -> object:
        self.asked.append(ip_address)
        if ip_address == "damaged":
            raise ValueError(ip_address)
        return self.record if ip_address.startswith("203.0.113.") else None


class PlacesTests(SynchronousTestCase):
    """Names of places."""

    def test_known(self) -> None:
        """A record of a city gives its names in English, and the largest region around it."""
        place = Places(FewRecords()).of("203.0.113.9")
        self.assertEqual(Place("Utrecht", "Netherlands", "NL", "UT"), place)

    def test_country_only(self) -> None:
        """A record may only know the country."""
        place = Places(FewRecords({"country": UTRECHT["country"]})).of("203.0.113.9")
        self.assertEqual(Place("", "Netherlands", "NL", ""), place)

    def test_unknown(self) -> None:
        """An address of which nothing is known, or which is none, is nowhere."""
        places = Places(FewRecords())
        for address in ("192.0.2.1", "", "damaged"):
            self.assertEqual(NOWHERE, places.of(address))
        self.assertEqual(("", "", "", ""), NOWHERE)

    def test_file(self) -> None:
        """A real file is read, for many addresses at once as for one."""
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "places.mmdb"
            write_mmdb(file, {"203.0.113.0/24": UTRECHT, "198.51.100.0/25": LYON})
            places = Places.open(file)
            self.assertTrue(places)
            asked = ("203.0.113.9", "198.51.100.1", "198.51.100.129", "2001:db8::7", "x")
            self.assertEqual(
                ["Utrecht", "Lyon", "", "", ""],
                [place.city for place in places.of_all(asked).values()],
            )

    def test_read_again(self) -> None:
        """A file that was replaced is taken up; one that cannot be used leaves all as it was."""
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "places.mmdb"
            write_mmdb(file, {"203.0.113.0/24": UTRECHT})
            places = Places.open(file)
            self.assertEqual("Utrecht", places.of("203.0.113.9").city)
            newer = file.with_suffix(".new")
            write_mmdb(newer, {"203.0.113.0/24": LYON})
            newer.replace(file)
            self.assertEqual("Utrecht", places.of("203.0.113.10").city)
            places.reload()
            self.assertEqual("Lyon", places.of("203.0.113.9").city)
            file.unlink()
            self.assertRaises(ConfigError, places.reload)
            self.assertEqual("Lyon", places.of("203.0.113.11").city)

    def test_nothing_to_read_again(self) -> None:
        """Without a file there is none to be read again."""
        places = Places()
        places.reload()
        self.assertFalse(places)

    def test_no_file(self) -> None:
        """Without a file all is nowhere."""
        self.assertEqual(NOWHERE, Places.open(None).of("203.0.113.9"))

    @given(_json)
    def test_any_record(self, record: object) -> None:
        """Whatever a record holds, the names are texts."""
        place = Places(FewRecords(record)).of("203.0.113.9")
        self.assertTrue(all(isinstance(name, str) for name in place))

    def test_no_database(self) -> None:
        """A file that is none of that format, or not there, is told in one line."""
        with tempfile.TemporaryDirectory() as directory:
            file = Path(directory) / "places.mmdb"
            for written in (None, b"", b"no such thing\n" * 50):
                if written is not None:
                    file.write_bytes(written)
                with self.assertRaisesRegex(ConfigError, "places.mmdb cannot be read") as caught:
                    Places.open(file)
                self.assertNotIn("\n", str(caught.exception))
                self.assertEqual("tracking.places: ", str(caught.exception)[:17])

    def test_package_missing(self) -> None:
        """Without the package that reads such files its name is told."""
        really = builtins.__import__

        def without(name: str, *args: Any) -> Any:
            if name == "maxminddb":
                raise ImportError(name)
            return really(name, *args)

        self.patch(builtins, "__import__", without)
        with self.assertRaisesRegex(ConfigError, "tracking.places: .*pip install"):
            Places.open(Path("places.mmdb"))
