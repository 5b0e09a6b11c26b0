"""SIGHUP: take up certificate, places and configuration anew, as far as sessions allow."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Any

import attrs
from attrs import define
from twisted.application.service import Service
from twisted.internet.interfaces import IReactorFromThreads
from twisted.logger import Logger

from smtpeter import config as configuration
from smtpeter.config import Config, ConfigError
from smtpeter.tls import ServerTLS


@define
class Current:
    """The configuration in force; what asks it each time follows a renewal."""

    config: Config


class Renewal(Service):
    """
    Obeys SIGHUP while the service runs.

    Args:
        limits_changed: called when the limits of receivers may be others.
        renew_places: has the file of places read again.
    """

    _log = Logger()

    def __init__(
        self,
        current: Current,
        tls: ServerTLS,
        limits_changed: Callable[[], None],
        renew_places: Callable[[], None],
        reactor: IReactorFromThreads,
    ) -> None:
        self._current = current
        self._tls = tls
        self._limits_changed = limits_changed
        self._renew_places = renew_places
        self._reactor = reactor
        self._before: Any = signal.SIG_DFL

    def startService(self) -> None:
        Service.startService(self)
        self._before = signal.signal(signal.SIGHUP, self._signalled)

    def stopService(self) -> None:
        Service.stopService(self)
        signal.signal(signal.SIGHUP, self._before)

    def _signalled(self, _number: int, _frame: FrameType | None) -> None:
        self._reactor.callFromThread(self.renew)

    def renew(self) -> None:
        """Read again; what cannot be used is logged, and the old stays in force."""
        self._tls.reload()
        self._renew_places()
        before = self._current.config
        if before.path is None:
            return
        try:
            after = configuration.load(str(before.path))
        except ConfigError as error:
            for fault in error.faults:
                self._log.error("The configuration stays as it was: {fault}", fault=fault)
            return
        delivery = attrs.evolve(
            before.delivery,
            connections=after.delivery.connections,
            messages_per_second=after.delivery.messages_per_second,
            receivers=after.delivery.receivers,
        )
        self._current.config = attrs.evolve(before, delivery=delivery)
        self._limits_changed()
        self._log.info("The configuration was read again")
        for doubt in configuration.doubts(self._current.config):
            self._log.warn("{doubt}", doubt=doubt)
        for name in differences(self._current.config, after):
            self._log.warn("{name} changed and waits for a restart", name=name)


def differences(one: Any, other: Any, above: str = "") -> Iterator[str]:
    """The names of the settings that differ, such as `smtp.product`; never their values."""
    for attribute in attrs.fields(type(one)):
        mine, others = getattr(one, attribute.name), getattr(other, attribute.name)
        if attrs.has(type(mine)) and type(mine) is type(others):
            yield from differences(mine, others, f"{above}{attribute.name}.")
        elif mine != others:
            yield above + attribute.name
