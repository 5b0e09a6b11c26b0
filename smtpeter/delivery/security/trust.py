"""Whose word on a server's name is taken."""

from __future__ import annotations

from pathlib import Path

from OpenSSL import SSL
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from smtpeter.config import ConfigError
from smtpeter.delivery.capture import InThread
from smtpeter.delivery.security.handshakes import VerifiedTls, verifying_context

READ_SECONDS = 3600.0  # then the authorities are read again: systems are kept up to date


class Trust:
    """
    The authorities that the system trusts, and those of a file.

    Args:
        ca_file: PEM certificates; None for those of the system alone.
        in_thread: calls a function with its arguments in a thread.

    Raises:
        ConfigError: the file cannot be read.
    """

    _log = Logger()

    def __init__(self, ca_file: Path | None, in_thread: InThread, clock: IReactorTime) -> None:
        self._ca_file = ca_file
        self._in_thread = in_thread
        self._clock = clock
        self._renewing = False
        self._read = clock.seconds()
        self._context = read_authorities(ca_file)

    def verified(self, host: str, *, strict: bool = True) -> VerifiedTls:
        """What makes one connection to a host, by name or IP address, and has it prove that."""
        if not self._renewing and self._clock.seconds() - self._read >= READ_SECONDS:
            self._renewing = True
            reading = self._in_thread(read_authorities, self._ca_file)
            reading.addCallbacks(self._renewed, self._not_renewed)
        return VerifiedTls(self._context, host, strict=strict)

    def _renewed(self, context: SSL.Context) -> None:
        self._context = context
        self._over()

    def _not_renewed(self, failure: Failure) -> None:
        self._log.warn("trusted authorities stay as they are: {reason!r}", reason=failure.value)
        self._over()

    def _over(self) -> None:
        self._read = self._clock.seconds()
        self._renewing = False


def read_authorities(ca_file: Path | None) -> SSL.Context:
    """
    The settings of clients that trust the authorities of the system, and those of a file.

    Raises:
        ConfigError: the file cannot be read.
    """
    try:
        return verifying_context(ca_file)
    except SSL.Error as error:
        raise ConfigError(
            f"delivery.ca_file: {ca_file} holds no certificates that can be read"
        ) from error
