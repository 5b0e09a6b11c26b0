"""One message on a connection: MAIL, RCPT, DATA, and a result for each recipient."""

from __future__ import annotations

from collections.abc import Generator, Iterable
from itertools import chain, repeat

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content
from smtpeter.message.envelope import Envelope, Recipient
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.message.reply import Reply
from smtpeter.smtp import xtext
from smtpeter.smtp.capabilities import Capabilities
from smtpeter.smtp.dialogue import Dialogue, Say, SendContent, Step, Timeouts
from smtpeter.smtp.peer import Peer
from smtpeter.smtp.replies import InvalidReply

# Content up to this size goes with its envelope where the server offers CHUNKING. What is refused
# was sent for nothing; with larger content that would cost more than a round trip.
WITH_ENVELOPE_OCTETS = 64 * 1024
# "I do not know this command": from servers, or from those in between, which do not keep what
# the reply to EHLO promised.
_NOT_UNDERSTOOD = (500, 501, 502, 504)


class Transaction:
    """
    The dialogue for one message.

    Args:
        reset_first: the transaction before this one has left something behind.

    Attributes:
        mail_answered: the server has said what it thinks of the message. When False at
            the end, another connection may do better.
        complete: the content was sent and taken; the server starts the next one afresh.
    """

    def __init__(
        self,
        envelope: Envelope,
        content: Content,
        capabilities: Capabilities,
        peer: Peer,
        timeouts: Timeouts,
        *,
        reset_first: bool = False,
    ) -> None:
        self.mail_answered = False
        self.complete = False
        self._envelope = envelope
        self._offered = capabilities
        self._peer = peer
        self._timeouts = timeouts
        self._reset_first = reset_first
        self._sender_refused = False
        self._outcomes: list[Outcome | None] = [None] * len(envelope.recipients)
        self._content = content
        self._octets = content.octets
        self._international = _international(envelope)
        self._smtputf8 = capabilities.smtputf8 and (envelope.smtputf8 or bool(self._international))

    def dialogue(self) -> Dialogue:
        """
        The steps. At their end every recipient has an outcome.

        Raises:
            InvalidReply: the server does not keep to SMTP; what outcomes there are stay.
        """
        self._fail_what_cannot_be_sent()
        numbers = [number for number, known in enumerate(self._outcomes) if known is None]
        if not numbers:
            self.mail_answered = True
            self.complete = not self._reset_first
            return
        if self._reset_first:
            yield from self._reset()
        if self._fits_with_envelope and (yield from self._offer_at_once(numbers)):
            return
        yield from self._offer(numbers)

    def outcomes(self, rest: Outcome | None = None) -> tuple[Outcome, ...]:
        """
        One outcome for each recipient, in their order.

        `rest` is for those of whom nothing is known yet.
        """
        if rest is not None:
            self._settle(range(len(self._outcomes)), rest)
        return tuple(outcome for outcome in self._outcomes if outcome is not None)

    @property
    def _fits_with_envelope(self) -> bool:
        offered = self._offered
        return offered.chunking and offered.pipelining and self._octets <= WITH_ENVELOPE_OCTETS

    def _offer_at_once(self, numbers: list[int]) -> Generator[Step, Reply, bool]:
        """
        Envelope and content in one flight: one round trip for all (RFC 3030, RFC 2920).

        Gives False when the server turns out not to understand it; then nothing is known yet.
        """
        content = bytes(self._content)
        if not content.endswith(b"\r\n"):  # as the final dot would have it
            content += b"\r\n"
        chunk = b"BDAT %d LAST\r\n" % len(content)
        flight = b"".join([*self._commands(numbers), chunk, content])
        accepted = yield from self._envelope_replies([flight], numbers)
        reply = yield Say(b"", "message", self._timeouts.content_end)
        if accepted and reply.code in _NOT_UNDERSTOOD:
            yield from self._reset()
            return False
        self._judge(reply, accepted)
        return True

    def _offer(self, numbers: list[int]) -> Dialogue:
        """The envelope in commands, then the content for those recipients who were accepted."""
        pipelining = self._offered.pipelining
        commands = [*self._commands(numbers), b"DATA\r\n"]
        if pipelining:
            commands = [b"".join(commands)]
        accepted = yield from self._envelope_replies(commands, numbers)
        if not accepted and not pipelining:
            return
        data = b"" if pipelining else commands[-1]
        reply = yield Say(data, "data", self._timeouts.data)
        if reply.code // 100 in (4, 5):
            self._settle(accepted, self._peer.refused(reply, "data"))
        elif reply.code != 354:
            raise InvalidReply(f"reply {reply.code} to DATA")
        elif not accepted:
            # RFC 2920 section 3.1: the server waits for content nonetheless.
            yield Say(b".\r\n", "message", self._timeouts.content_end)
        elif self._sender_refused:
            raise InvalidReply("recipients and content are welcome, the sender was not")
        else:
            self._judge((yield SendContent()), accepted)

    def _commands(self, numbers: list[int]) -> list[bytes]:
        recipients = self._envelope.recipients
        return [self._mail(), *(self._rcpt(recipients[number]) for number in numbers)]

    def _envelope_replies(
        self, commands: list[bytes], numbers: list[int]
    ) -> Generator[Step, Reply, list[int]]:
        """
        Hear what the server says to MAIL and each RCPT; gives the recipients it accepts.

        Args:
            commands: each is sent when the one before was answered. When there is but one,
                all are in it (RFC 2920), and are answered one by one.
        """
        together = len(commands) == 1
        unsaid = chain(commands, repeat(b""))
        reply = yield Say(next(unsaid), "mailfrom", self._timeouts.command)
        self.mail_answered = True
        if not _positive(reply):
            self._sender_refused = True
            self._settle(numbers, self._peer.refused(reply, "mailfrom"))
            if not together:
                return []
        accepted = []
        for number in numbers:
            reply = yield Say(next(unsaid), "rcptto", self._timeouts.command)
            if _positive(reply):
                accepted.append(number)
            else:
                self._settle([number], self._peer.refused(reply, "rcptto"))
        return accepted

    def _reset(self) -> Dialogue:
        reply = yield Say(b"RSET\r\n", "mailfrom", self._timeouts.command)
        if not _positive(reply):
            raise InvalidReply(f"RSET was refused: {reply.code} {reply.text}")

    def _judge(self, reply: Reply, accepted: list[int]) -> None:
        if _positive(reply):
            if self._sender_refused:
                raise InvalidReply("the content is welcome, the sender was not")
            self.complete = True
            passed_on = self._offered.dsn
            self._settle(accepted, self._peer.delivered(reply, dsn_passed_on=passed_on))
        else:
            self._settle(accepted, self._peer.refused(reply, "message"))

    def _settle(self, numbers: Iterable[int], outcome: Outcome) -> None:
        for number in numbers:
            if self._outcomes[number] is None:
                self._outcomes[number] = outcome

    def _fail_what_cannot_be_sent(self) -> None:
        limit = self._offered.size_limit
        if limit and self._octets > limit:
            text = f"the message has {self._octets} octets, the server takes {limit}"
            self._settle(range(len(self._outcomes)), self._fail("5.3.4", text))
        if self._international and not self._offered.smtputf8:
            text = "the server does not take international addresses"
            self._settle(self._international, self._fail("5.6.7", text))

    def _fail(self, status: str, text: str) -> Outcome:
        return self._peer.ended(Verdict.FAILED, "error", "mailfrom", status, text)

    def _path(self, mailbox: Mailbox | None) -> str:
        """As RFC 5321 section 4.1.2 writes it; the domain as A-labels unless SMTPUTF8 is used."""
        if mailbox is None:
            return "<>"
        return f"<{mailbox if self._smtputf8 else mailbox.ascii()}>"

    def _mail(self) -> bytes:
        offered, envelope = self._offered, self._envelope
        words = [f"MAIL FROM:{self._path(envelope.sender)}"]
        if offered.size:
            words.append(f"SIZE={self._octets}")
        # Content with octets above 127 also goes to servers that do not offer 8BITMIME.
        # Strictly it would have to come back (RFC 6152 section 3); in practice nearly
        # all of them take it as it is, and a message that was returned is lost.
        if offered.eightbitmime and envelope.eightbit:
            words.append("BODY=8BITMIME")
        if self._smtputf8:
            words.append("SMTPUTF8")
        if offered.dsn and envelope.ret:
            words.append(f"RET={envelope.ret}")
        if offered.dsn and envelope.envid:
            words.append(f"ENVID={xtext.encode(envelope.envid)}")
        return _line(words)

    def _rcpt(self, recipient: Recipient) -> bytes:
        words = [f"RCPT TO:{self._path(recipient.mailbox)}"]
        if self._offered.dsn and recipient.notify:
            words.append(f"NOTIFY={','.join(sorted(recipient.notify))}")
        if self._offered.dsn and recipient.orcpt:
            words.append(f"ORCPT={_original_recipient(recipient.orcpt)}")
        return _line(words)


def _positive(reply: Reply) -> bool:
    """
    True for a 2yz reply, False for 4yz and 5yz.

    Raises:
        InvalidReply: it is a 3yz reply where none is defined.
    """
    if reply.code // 100 == 3:
        raise InvalidReply(f"reply {reply.code} means nothing here")
    return reply.code // 100 == 2


def _international(envelope: Envelope) -> list[int]:
    """The numbers of the recipients whose mail needs SMTPUTF8 (RFC 6531 section 3.2)."""
    everybody = envelope.sender is not None and envelope.sender.needs_smtputf8
    return [
        number
        for number, recipient in enumerate(envelope.recipients)
        if everybody or recipient.mailbox.needs_smtputf8
    ]


def _original_recipient(orcpt: str) -> str:
    address_type, _, address = orcpt.partition(";")
    # RFC 6533 section 3: outside ASCII, a code point is written \x{...} beneath the xtext.
    written = "".join(c if c.isascii() else f"\\x{{{ord(c):X}}}" for c in address)
    return f"{address_type};{xtext.encode(written)}"


def _line(words: list[str]) -> bytes:
    return f"{' '.join(words)}\r\n".encode()
