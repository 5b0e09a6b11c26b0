"""From the configuration file to `Config`, with every fault that is found on the way."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs

from smtpeter.config.errors import ConfigError
from smtpeter.config.rules import broken_rules
from smtpeter.config.sections import Config, Delivery, Limits, Pool
from smtpeter.config.values import NotAllowed

ENVIRONMENT_VARIABLE = "SMTPETER_CONFIG"
MAX_SHOWN_CHARACTERS = 60
MAX_PASSWORD_OCTETS = 4096

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")


def load(path: str | None = None, environ: Mapping[str, str] = os.environ) -> Config:
    """
    Read the settings.

    Names of files and directories in a configuration file are relative to the directory
    that holds it; without a file, to the working directory.

    Args:
        path: the configuration file; None for the one that `SMTPETER_CONFIG` names, and
            where it names none, for the defaults.
        environ: the environment.

    Raises:
        ConfigError: there is a fault; its `faults` are all there are.
    """
    name = path or environ.get(ENVIRONMENT_VARIABLE)
    if not name:
        return _completed(Config(), Path.cwd())
    file = Path(name).absolute()
    reading = _Reading(name)
    config = attrs.evolve(reading.config(_parsed(name)), path=file)
    config = _completed(config, file.parent)
    config = reading.with_password(config)
    for keys, fault in broken_rules(config):
        if reading.faulty.isdisjoint(keys):
            reading.complain(keys[0], fault)
    if reading.faults:
        raise ConfigError(*reading.faults)
    return config


def known_keys(kind: type[Any] = Config, above: str = "") -> Iterator[tuple[str, object]]:
    """Every key with its full path and the default as a file would say it."""
    for name, attribute in _keys(kind).items():
        inner = attribute.metadata.get("section")
        if inner:
            yield from known_keys(inner, f"{above}{name}.")
        elif "read" in attribute.metadata:
            yield above + name, attribute.metadata["default"]


def _parsed(name: str) -> dict[str, Any]:
    try:
        with Path(name).open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigError(f"{name}: cannot be read: {error.strerror}") from error
    except ValueError as error:  # also what is not UTF-8
        raise ConfigError(f"{name}: not valid TOML: {error}") from error


class _Reading:
    """
    One pass over a parsed file.

    Attributes:
        faults: a line for each.
        faulty: the full paths of the keys that have one.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self.faults: list[str] = []
        self.faulty: set[str] = set()

    def complain(self, key: str, fault: str) -> None:
        self.faulty.add(key)
        self.faults.append(f"{self._name}: {key}: {fault}")

    def config(self, table: dict[str, Any]) -> Config:
        return Config(**self._attributes(Config, table, ""))

    def with_password(self, config: Config) -> Config:
        file = config.delivery.smarthost_password_file
        if file is None:
            return config
        key = "delivery.smarthost_password_file"
        try:
            with file.open("rb") as opened:
                password = opened.read(MAX_PASSWORD_OCTETS).decode().rstrip("\r\n")
        except OSError as error:
            self.complain(key, f"{file} cannot be read: {error.strerror}")
            return config
        except UnicodeDecodeError:
            self.complain(key, f"{file} does not hold UTF-8 text")
            return config
        if not password:
            self.complain(key, f"{file} is empty")
        delivery = attrs.evolve(config.delivery, smarthost_password=password)
        return attrs.evolve(config, delivery=delivery)

    def _attributes(self, kind: type[Any], table: dict[str, Any], above: str) -> dict[str, Any]:
        """Attributes of a section, by their names, for the keys that are there and usable."""
        known = _keys(kind)
        attributes: dict[str, Any] = {}
        for name, found in table.items():
            where = above + _quoted(name)
            if name not in known:
                self.complain(where, _unknown(name, known, above))
                continue
            attribute = known[name]
            try:
                attributes[attribute.name] = self._value(attribute, found, where)
            except NotAllowed as error:
                shown = "something else" if attribute.metadata.get("secret") else _shown(found)
                self.complain(where, f"found {shown}; allowed: {error}")
        return attributes

    def _value(self, attribute: attrs.Attribute[Any], found: object, where: str) -> Any:
        metadata = attribute.metadata
        if "read" in metadata:
            return metadata["read"](found)
        if not isinstance(found, dict):
            raise NotAllowed("a table")
        if "section" in metadata:
            kind = metadata["section"]
            return kind(**self._attributes(kind, found, f"{where}."))
        return dict(self._named(metadata, found, where))

    def _named(
        self, metadata: Mapping[str, Any], table: dict[str, Any], above: str
    ) -> Iterator[tuple[str, dict[str, Any]]]:
        for written, found in table.items():
            where = f"{above}.{_quoted(written)}"
            try:
                name = metadata["names"](written)
            except NotAllowed as error:
                self.complain(where, f"allowed: {error}")
                continue
            if isinstance(found, dict):
                yield name, self._attributes(metadata["table_of"], found, f"{where}.")
            else:
                self.complain(where, f"found {_shown(found)}; allowed: a table")


def _completed(config: Config, base: Path) -> Config:
    """Fill in what depends on other settings."""
    public_url = config.http.public_url or _derived_url(config)
    return attrs.evolve(
        config,
        state_dir=base / config.state_dir,
        tls=attrs.evolve(
            config.tls,
            certificate=_below(base, config.tls.certificate),
            private_key=_below(base, config.tls.private_key),
        ),
        http=attrs.evolve(config.http, public_url=public_url),
        tracking=attrs.evolve(
            config.tracking,
            host=config.tracking.host or config.hostname,
            bounce_host=config.tracking.bounce_host or config.hostname,
            places=_below(base, config.tracking.places),
        ),
        delivery=attrs.evolve(
            config.delivery,
            smarthost_password_file=_below(base, config.delivery.smarthost_password_file),
            ca_file=_below(base, config.delivery.ca_file),
            receivers=_complete_limits(config.delivery),
            pools=_complete_pools(config.delivery),
        ),
    )


def _below(base: Path, file: Path | None) -> Path | None:
    return None if file is None else base / file


def _derived_url(config: Config) -> str:
    host = f"[{config.hostname}]" if ":" in config.hostname else config.hostname
    ports = [endpoint.port for endpoint in config.http.https]
    if not ports or 443 in ports:
        return f"https://{host}"
    return f"https://{host}:{ports[0]}"


def _complete_limits(delivery: Delivery) -> dict[str, Limits]:
    general = delivery.limits
    given: Mapping[str, Any] = delivery.receivers
    return {name: attrs.evolve(general, **own) for name, own in given.items()}


def _complete_pools(delivery: Delivery) -> dict[str, Pool]:
    given: Mapping[str, Any] = delivery.pools
    return {name: Pool(**own) for name, own in given.items()}


def _keys(kind: type[Any]) -> dict[str, attrs.Attribute[Any]]:
    return {each.metadata["key"]: each for each in attrs.fields(kind) if "key" in each.metadata}


def _unknown(name: str, known: Mapping[str, object], above: str) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    elsewhere = [path for path, _ in known_keys() if path.rpartition(".")[2] == name]
    if close or elsewhere:
        return f"unknown key; did you mean {above + close[0] if close else elsewhere[0]}?"
    return f"unknown key; allowed here: {', '.join(known)}"


def _quoted(name: str) -> str:
    return name if _BARE_KEY.fullmatch(name) else json.dumps(name, ensure_ascii=False)


def _shown(found: object) -> str:
    shown = json.dumps(found, ensure_ascii=False, default=str)
    if len(shown) <= MAX_SHOWN_CHARACTERS:
        return shown
    return shown[:MAX_SHOWN_CHARACTERS] + "…"
