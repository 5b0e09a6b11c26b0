"""Asking DNS servers: in silence, and whether they have validated (RFC 4035 section 3.2.3)."""

# twisted.names has few type hints.
# mypy: allow-untyped-calls
from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from twisted.internet.defer import Deferred
from twisted.names import client, dns
from twisted.python.failure import Failure

from smtpeter.delivery.dnssocket import QuestionSocket

if TYPE_CHECKING:
    from twisted.internet.interfaces import IUDPTransport

# What is hardly ever fragmented on its way; larger answers come by TCP.
UDP_PAYLOAD_OCTETS = 1232
TCP_SECONDS = 10


class Sections(tuple[Any, Any, Any]):
    """
    What resolvers of Twisted answer with: answers, authority, additional.

    Attributes:
        authenticated: the server says that it has validated them.
    """

    __slots__ = ()
    authenticated = False


class ValidatedSections(Sections):
    """The same, validated."""

    __slots__ = ()
    authenticated = True


class _Datagrams(dns.DNSDatagramProtocol):
    noisy = False


class QuietResolver(client.Resolver):
    """Twisted's resolver, without lines in the log for the beginning and end of each question."""

    _datagrams: type[dns.DNSDatagramProtocol] = _Datagrams

    def _connectedProtocol(self, interface: str = "") -> dns.DNSDatagramProtocol:  # noqa: ARG002
        asking = self._datagrams(self, reactor=self._reactor)
        asking.makeConnection(cast("IUDPTransport", QuestionSocket(asking, self._reactor)))
        return asking


class _ValidatedDatagrams(_Datagrams):
    def writeMessage(self, message: dns.Message, address: tuple[str, int]) -> None:
        _ask_for_validation(message)
        super().writeMessage(message, address)


class AskingResolver(QuietResolver):
    """
    Twisted's resolver, which also asks for, and hands on, the AD bit.

    It has `Sections` for answers. Whoever believes what they say trusts the servers, and
    the network on the way to them.
    """

    _datagrams = _ValidatedDatagrams

    def __init__(self, **arguments: Any) -> None:
        super().__init__(**arguments)
        self.factory = _StreamFactory(self, TCP_SECONDS)
        self.factory.noisy = False

    def filterAnswers(self, message: dns.Message) -> Any:
        """As in Twisted: the result of a query, a failure, or the Deferred of asking by TCP."""
        found = super().filterAnswers(message)
        if isinstance(found, Deferred | Failure):
            return found
        kind = ValidatedSections if message.authenticData else Sections
        return kind(found)


class _Stream(dns.DNSProtocol):
    def writeMessage(self, message: dns.Message) -> None:
        _ask_for_validation(message)
        super().writeMessage(message)


class _StreamFactory(client.DNSClientFactory):
    def buildProtocol(self, addr: Any) -> _Stream:  # noqa: ARG002
        stream = _Stream(self.controller, reactor=self.controller._reactor)  # noqa: SLF001
        stream.factory = self
        return stream


def _ask_for_validation(message: dns.Message) -> None:
    """RFC 6840 section 5.7: the AD bit alone will do, without all the signatures."""
    message.authenticData = 1
    options = dns.RRHeader(b"", dns.OPT, UDP_PAYLOAD_OCTETS, 0, dns.UnknownRecord(b""))
    message.additional.append(options)
