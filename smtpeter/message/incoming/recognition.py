"""What came in: a report, an error, a complaint, an automatic response, or something else."""

from __future__ import annotations

from smtpeter.message.address import Mailbox
from smtpeter.message.content import Content, HeaderTooLarge
from smtpeter.message.incoming.automatic import certain_response, is_answer, likely_response
from smtpeter.message.incoming.complaints import complaint
from smtpeter.message.incoming.dmarcreports import aggregate_report
from smtpeter.message.incoming.evidence import Evidence, evidence_in
from smtpeter.message.incoming.findings import OtherMessage, PrivateError, Recognised
from smtpeter.message.incoming.letter import Letter, read
from smtpeter.message.incoming.notifications import delivery_report
from smtpeter.message.incoming.oldbounces import private_error

_WRAPPERS = 2


def recognise(content: Content, envelope_sender: Mailbox | None) -> Recognised:
    """
    Say what a message is that came to an address for bounces, complaints or reports.

    It never fails, whatever comes. The time that it takes is in proportion to the length of
    the message, of which no more than 16 MiB are looked at: some milliseconds for most, too
    long for the reactor's thread above some hundred KiB.

    Args:
        envelope_sender: the reverse-path, None for the null one.
    """
    return _recognised(content, null_sender=envelope_sender is None, wrappers=_WRAPPERS)


def _recognised(content: Content, *, null_sender: bool, wrappers: int) -> Recognised:
    letter = read(content, null_sender=null_sender)
    found = delivery_report(letter) or complaint(letter) or aggregate_report(letter)
    if found is not None:
        return found
    if wrappers and not any(letter.lines) and (inner := _inner(letter)) is not None:
        # Some gateways pack a report into a message of their own, and say nothing.
        within = _recognised(inner, null_sender=null_sender, wrappers=wrappers - 1)
        if not isinstance(within, OtherMessage):
            return within
    return _by_words(letter)


def _inner(letter: Letter) -> Content | None:
    try:
        return letter.attached_message()
    except HeaderTooLarge:
        return None


def _by_words(letter: Letter) -> Recognised:
    """
    Tell errors from answers where no standard does.

    Programs that answer for a person mark what they write, so that such a mark takes stronger
    words to be overruled. What has the null reverse-path and cannot be told is an error.
    """
    evidence = evidence_in(letter)
    certain = certain_response(letter)
    if certain is not None:
        return private_error(letter) if _overrules(evidence, letter) else certain
    if _is_error(evidence, letter):
        return private_error(letter)
    return likely_response(letter) or _unknown(letter)


def _unknown(letter: Letter) -> Recognised:
    return PrivateError("", (), letter.returned) if letter.null_sender else OtherMessage()


def _overrules(evidence: Evidence, letter: Letter) -> bool:
    """Exim marks its errors as answers, and people write from postmaster's address."""
    if evidence.named or (evidence.daemon and evidence.subject):
        return True
    if not evidence.words or not (evidence.subject or evidence.daemon):
        return False
    return evidence.coded or any(each.recipient for each in private_error(letter).recipients)


def _is_error(evidence: Evidence, letter: Letter) -> bool:
    """Somebody has to say that he is a server, and that something failed."""
    if evidence.named:
        return True
    if is_answer(letter) and not letter.null_sender and not evidence.daemon:
        return False
    is_server = evidence.daemon or evidence.subject or letter.null_sender
    says_failure = evidence.words or evidence.coded or (evidence.subject and evidence.daemon)
    return is_server and says_failure
