"""Whether the service would start: all that a start needs is tried, and nothing left behind."""

from __future__ import annotations

import datetime as dt
import errno
import os
from collections.abc import Iterator, Sequence

from smtpeter.config import Config, ConfigError, doubts
from smtpeter.delivery.security.trust import read_authorities
from smtpeter.events.places import Places
from smtpeter.ports import bound
from smtpeter.statelock import is_running
from smtpeter.store.database import Database, StoreError
from smtpeter.tls import read_pair
from smtpeter.units import Endpoint
from smtpeter.values import frozen


@frozen
class Findings:
    """What was found; each is one line that names its key or file."""

    faults: Sequence[str]
    warnings: Sequence[str] = ()


def rehearse(config: Config, now: dt.datetime) -> Findings:
    """Try what a start needs. While the service runs, ports that are taken are taken as its own."""
    faults: list[str] = []
    warnings = list(doubts(config))
    for attempt in (
        _state_directory(config),
        _certificate(config, now),
        _places(config),
        _authorities(config),
        _database(config),
    ):
        try:
            warnings += attempt
        except (ConfigError, StoreError) as error:
            faults.append(str(error))
    running = is_running(config.state_dir)
    for key, endpoints in config.listeners().items():
        for endpoint in endpoints:
            try:
                warnings += _port(endpoint, key, running=running)
            except ConfigError as error:
                faults.append(str(error))
    return Findings(faults, warnings)


def _state_directory(config: Config) -> Iterator[str]:
    """It is there, or can be made in the nearest directory above it that is."""
    directory = config.state_dir
    while not directory.exists() and directory != directory.parent:
        directory = directory.parent
    if not directory.is_dir():
        raise ConfigError(f"state_dir: {directory} is no directory")
    if not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigError(f"state_dir: {directory} cannot be written to")
    yield from ()


def _certificate(config: Config, now: dt.datetime) -> Iterator[str]:
    certificate, private_key = config.tls.certificate, config.tls.private_key
    if certificate and private_key:
        pair, _ = read_pair(certificate, private_key)
        if pair.expiry < now:
            yield f"tls.certificate: {certificate} expired on {pair.expiry.date().isoformat()}"


def _places(config: Config) -> Iterator[str]:
    Places.open(config.tracking.places)
    yield from ()


def _authorities(config: Config) -> Iterator[str]:
    if config.delivery.ca_file is not None:
        read_authorities(config.delivery.ca_file)
    yield from ()


def _database(config: Config) -> Iterator[str]:
    Database.examine(config.database.url, config.state_dir)
    yield from ()


def _port(endpoint: Endpoint, key: str, *, running: bool) -> Iterator[str]:
    try:
        bound(endpoint, key).close()
    except ConfigError as error:
        cause = error.__cause__
        if isinstance(cause, PermissionError):  # the service may have the right to it
            yield str(error)
        elif not (running and isinstance(cause, OSError) and cause.errno == errno.EADDRINUSE):
            raise
