"""
TLS between a TCP transport and a session: OpenSSL in memory, and little around it.

A session gathers its replies before it writes them, so that the layer need not wait for
more: what is written leaves at once, or when what was received has been dealt with.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from typing import Any

from OpenSSL import SSL
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IAddress,
    IHandshakeListener,
    IOpenSSLServerConnectionCreator,
    ITransport,
)
from twisted.internet.protocol import Factory, Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from smtpeter.smtp.prompt import write_promptly
from smtpeter.smtp.records import RecordCounter

# The greatest plaintext of one record (RFC 8446 section 5.1); OpenSSL reads one at a time.
RECORD_OCTETS = 16 * 1024
# What is sent at a time. While octets are received, hardly more than this is held back, so
# that TCP can pause a producer that answers them.
BLOCK_OCTETS = 32 * 1024


def start_tls(transport: Any, creator: IOpenSSLServerConnectionCreator, inner: Protocol) -> None:
    """
    Have the client begin TLS on a connection that is in use.

    From now on `inner.transport` is the layer. A producer that is registered stays it.

    Args:
        transport: of a TCP connection of Twisted, whose protocol is `inner`.
    """
    TlsLayer(creator, inner).slip_under(transport)


class TlsFactory(Factory):
    """The factory of a listener whose connections are encrypted from their first octet."""

    noisy = False

    def __init__(self, creator: IOpenSSLServerConnectionCreator, inner: Factory) -> None:
        self._creator = creator
        self._inner = inner

    def buildProtocol(self, addr: IAddress | None) -> Protocol | None:
        inner = self._inner.buildProtocol(addr)
        return TlsLayer(self._creator, inner) if isinstance(inner, Protocol) else None


@implementer(ITransport)
class TlsLayer(Protocol):
    """
    The server's side of TLS: the protocol of a TCP transport, the transport of another.

    Octets that are written before the handshake is done wait for it. The other protocol
    learns of the end of TLS when the TCP connection is gone: the reason is that of TCP, an
    `SSL.Error`, or ConnectionLost when the client left without a farewell (close_notify).
    """

    def __init__(self, creator: IOpenSSLServerConnectionCreator, inner: Protocol) -> None:
        # Creators of Twisted's own layer are annotated for it alone.
        self._connection = creator.serverConnectionForTLS(self)  # type: ignore[arg-type]
        self._connection.set_accept_state()
        self._inner = inner
        self._records = RecordCounter()
        self._unsent = bytearray()
        self._failure: Failure | None = None
        self._handshaking = True
        self._receiving = False
        self._held_octets = 0
        self._hearing_out = False  # the client hangs up after us
        self._closing = False  # nothing more may be written
        self._over = False  # and nothing is read

    # Above a TCP transport.

    def slip_under(self, transport: Any) -> None:
        """Come between a transport and its protocol."""
        self._below = transport
        transport.protocol = self
        self._inner.transport = self

    def makeConnection(self, transport: Any) -> None:
        self._below = transport
        write_promptly(transport)
        self._inner.makeConnection(self)

    def dataReceived(self, data: bytes) -> None:
        if self._over:
            return
        self._connection.bio_write(data)
        whole = self._records.feed(data)
        self._receiving = True
        silent = False
        if not self._handshaking:
            silent = self._receive(whole)
        elif self._shake_hands():
            self._receive(whole)
        self._receiving = False
        if self._held_octets or not silent:
            self._flush()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._failure is not None:
            reason, self._failure = self._failure, None
        elif not self._over and reason.check(ConnectionDone):
            reason = Failure(ConnectionLost())
        self._closing = self._over = True
        inner = self._inner
        del self._inner, self._connection  # they need not wait for the collector of cycles
        inner.connectionLost(reason)

    def _shake_hands(self) -> bool:
        """Go on with the handshake; True when it is done."""
        try:
            self._connection.do_handshake()
        except SSL.WantReadError:
            return False
        except SSL.Error as error:
            self._fail(Failure(error))
            return False
        self._handshaking = False
        if IHandshakeListener.providedBy(self._inner):
            self._inner.handshakeCompleted()
        self._send()
        return not self._over

    def _receive(self, records: int) -> bool:
        """
        Hand on what the records hold: a read for each, for none holds more than one gives.

        True when all of them held something for us, so that OpenSSL has nothing to say.
        """
        pieces = []
        read = self._connection.recv
        silent, farewell, failure = False, False, None
        try:
            for _ in range(records):
                pieces.append(read(RECORD_OCTETS))  # noqa: PERF401 -- kept when one raises
            silent = True
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            farewell = True
        except SSL.Error as error:
            failure = Failure(error)
        if pieces:
            self._inner.dataReceived(b"".join(pieces))
        if self._over:
            return silent
        if failure is not None:
            self._fail(failure)
        elif farewell:
            self._say_farewell()
        elif self._unsent:
            self._send()
        return silent

    def _send(self) -> None:
        """Encrypt what waits; if OpenSSL renegotiates, it may want to read first."""
        unsent = self._unsent
        self._held_octets += len(unsent)
        try:
            while unsent:
                del unsent[: self._connection.send(unsent)]
        except SSL.WantReadError:
            return
        except SSL.Error as error:
            self._fail(Failure(error))
            return
        if self._closing:
            self._say_farewell()
        elif not self._receiving or self._held_octets > BLOCK_OCTETS:
            self._flush()

    def _flush(self) -> None:
        """Send what OpenSSL has for the client."""
        self._held_octets = 0
        try:
            while not self._over:
                octets = self._connection.bio_read(BLOCK_OCTETS)
                self._below.write(octets)
                if len(octets) < BLOCK_OCTETS:
                    return
        except SSL.WantReadError:
            return  # nothing

    def _say_farewell(self) -> None:
        """Send close_notify, and do not wait for the client's: all that counts was said."""
        with contextlib.suppress(SSL.Error):
            self._connection.shutdown()
        self._end()

    def _fail(self, failure: Failure) -> None:
        self._failure = failure
        self._end()  # OpenSSL may have left an alert that tells the client why

    def _end(self) -> None:
        self._closing = True
        self._flush()
        self._over = True
        # TCP would wait for a producer that it has paused.
        self._below.unregisterProducer()
        if self._hearing_out:
            self._below.loseWriteConnection()
        else:
            self._below.loseConnection()

    # Below a protocol.

    def write(self, data: bytes) -> None:
        if self._closing:
            return
        self._unsent += data
        if not self._handshaking:
            self._send()

    def writeSequence(self, data: Iterable[bytes]) -> None:
        self.write(b"".join(data))

    def loseConnection(self) -> None:
        """Send what was written, then hang up."""
        if self._closing:
            return
        self._closing = True
        if not self._handshaking:
            self._send()
        elif not self._unsent:
            self.abortConnection()

    def loseWriteConnection(self) -> None:
        """The same, but what the client still sends is taken, and dropped, until it hangs up."""
        if not self._closing:
            self._hearing_out = True
            self.loseConnection()

    def abortConnection(self) -> None:
        self._closing = self._over = True
        self._below.abortConnection()

    def pauseProducing(self) -> None:
        self._below.pauseProducing()

    def resumeProducing(self) -> None:
        self._below.resumeProducing()

    def registerProducer(self, producer: object, streaming: bool) -> None:  # noqa: FBT001
        self._below.registerProducer(producer, streaming)

    def unregisterProducer(self) -> None:
        self._below.unregisterProducer()

    def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001
        self._below.setTcpNoDelay(enabled)

    def getPeer(self) -> IAddress:
        return self._below.getPeer()  # type: ignore[no-any-return]

    def getHost(self) -> IAddress:
        return self._below.getHost()  # type: ignore[no-any-return]
