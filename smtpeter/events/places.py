"""Where an address is, by a database file in MaxMind's format."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from smtpeter.config import ConfigError

_CACHED = 4096


class Place(NamedTuple):
    """The columns that log files have for a place; what is not known is empty."""

    city: str = ""
    countryname: str = ""
    countrycode: str = ""
    regioncode: str = ""


NOWHERE = Place()


class Records(Protocol):
    """The part of `maxminddb.Reader` that is used."""

    def get(self, ip_address: str, /) -> object: ...


class Places:
    """
    Looks addresses up. That may wait for the disk, so it is done in a thread.

    Args:
        records: gives a record of the City or Country kind; None for no file.
        file: where they come from; None for none that could be read again.
    """

    def __init__(self, records: Records | None = None, file: Path | None = None) -> None:
        self._records = records
        self._file = file
        self.of = lru_cache(_CACHED)(self._of)

    def __bool__(self) -> bool:
        """False when every place is unknown."""
        return self._records is not None

    def of_all(self, addresses: Iterable[str]) -> dict[str, Place]:
        """The places of some addresses."""
        return {address: self.of(address) for address in addresses}

    def reload(self) -> None:
        """
        Read the file again, if there is one; when it cannot be used, what was read stays.

        Raises:
            ConfigError: as `open`.
        """
        if self._file is not None:
            self._records = _opened(self._file)
            self.of.cache_clear()

    @classmethod
    def open(cls, file: Path | None) -> Places:
        """
        Open a file; without one every place is unknown.

        Raises:
            ConfigError: there is no such file, or it is none of that format.
        """
        return cls() if file is None else cls(_opened(file), file)

    def _of(self, address: str) -> Place:
        try:
            record = self._records.get(address) if self._records else None
        except Exception:  # no IP address, IPv6 in a file for IPv4, a damaged file
            return NOWHERE
        return _place(record) if isinstance(record, Mapping) else NOWHERE


def _opened(file: Path) -> Records:
    try:
        import maxminddb  # noqa: PLC0415 - not everybody needs it
    except ImportError:
        raise ConfigError(
            "tracking.places: needs the package maxminddb: pip install 'smtpeter[places]'"
        ) from None
    try:
        # The other modes wait for the disk with Python's lock in their hands, and so would
        # everybody, whatever thread they are in.
        return maxminddb.open_database(str(file), maxminddb.MODE_FILE)
    except (OSError, ValueError, maxminddb.InvalidDatabaseError) as error:
        words = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise ConfigError(
            f"tracking.places: {file} cannot be read as a MaxMind database: {words}"
        ) from None


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
