"""Where an address is, by a database file in MaxMind's format."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

_CACHED = 4096


class Place(NamedTuple):
    """The columns that log files have for a place; what is not known is empty."""

    city: str = ""
    countryname: str = ""
    countrycode: str = ""
    regioncode: str = ""


NOWHERE = Place()


class PlacesError(Exception):
    """The file cannot be used; the text is one line for the operator."""


class Records(Protocol):
    """The part of `maxminddb.Reader` that is used."""

    def get(self, ip_address: str, /) -> object: ...


class Places:
    """
    Looks addresses up.

    Args:
        records: gives a record of the City or Country kind; None for no file.
    """

    def __init__(self, records: Records | None = None) -> None:
        self._records = records
        self.of = lru_cache(_CACHED)(self._of)

    @classmethod
    def open(cls, file: Path | None) -> Places:
        """
        Open a file; without one every place is unknown.

        Raises:
            PlacesError: there is no such file, or it is none of that format.
        """
        if file is None:
            return cls()
        try:
            import maxminddb  # noqa: PLC0415 - not everybody needs it
        except ImportError:
            raise PlacesError(
                "place names need the package maxminddb: pip install 'smtpeter[places]'"
            ) from None
        try:
            return cls(maxminddb.open_database(str(file)))
        except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
            words = " ".join(str(error).split())
            raise PlacesError(f"{file} cannot be read as a MaxMind database: {words}") from None

    def _of(self, address: str) -> Place:
        try:
            record = self._records.get(address) if self._records else None
        except Exception:  # no IP address, IPv6 in a file for IPv4, a damaged file
            return NOWHERE
        return _place(record) if isinstance(record, Mapping) else NOWHERE


def _place(record: Mapping[str, Any]) -> Place:
    country = _mapping(record.get("country"))
    regions = record.get("subdivisions")
    region = _mapping(regions[0] if isinstance(regions, list) and regions else None)
    return Place(
        _english(_mapping(record.get("city"))),
        _english(country),
        str(country.get("iso_code", "")),
        str(region.get("iso_code", "")),
    )


def _english(record: Mapping[str, Any]) -> str:
    return str(_mapping(record.get("names")).get("en", ""))


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
