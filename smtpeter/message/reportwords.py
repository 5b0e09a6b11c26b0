"""What a report tells a person: what happened, to whom, why, and what to do about it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator
from collections.abc import Set as AbstractSet
from email.errors import HeaderParseError
from email.header import decode_header, make_header

from smtpeter.values import frozen

REPLY_LINES = 10
LINE_CHARACTERS = 500
SUBJECT_CHARACTERS = 200
WIDTH = 72

_INDENT = "    "

_SUBJECTS = {
    "failed": "Your message could not be delivered",
    "delayed": "Your message is delayed",
    "relayed": "Your message was passed on",
    "delivered": "Your message was delivered",
}

# By the detail or the subject of the enhanced status code (RFC 3463 section 3).
_ADVICE = {
    "1": "The address is wrong or not in use. Look for a typing mistake, or ask the "
    "recipient for the right address.",
    "1.2": "No mail can be sent to what stands after the @ of this address. Look for a "
    "typing mistake, or ask the recipient for the right address.",
    "1.10": "No mail can be sent to what stands after the @ of this address. Look for a "
    "typing mistake, or ask the recipient for the right address.",
    "2": "The recipient's mailbox takes no mail. Reach the recipient in another way.",
    "2.2": "The recipient's mailbox is full. Reach the recipient in another way, or send "
    "the message again when there is room.",
    "2.3": "The message is too large. Send it again with smaller attachments or without.",
    "3.4": "The message is too large. Send it again with smaller attachments or without.",
    "4": "The recipient's mail server could not be reached. Nothing is wrong with your "
    "message: send it again later, or reach the recipient in another way.",
    "7": "The recipient's mail server refuses the message by its own rules, for example "
    "because it takes it for spam. The recipient can ask those who look after that "
    "server for the reason.",
}
_NOT_TRIED = (
    "No attempt was made to deliver the message. Those who look after your mail can tell why, and "
    "change it."
)
_OTHER_ADVICE = (
    "If the reason is not clear to you, show this report to those who look after your "
    "mail, or to the recipient."
)


@frozen
class About:
    """
    What is to be told about one recipient.

    Attributes:
        action: a key of the subjects: "failed", "delayed", "relayed" or "delivered".
        status: an enhanced status code.
        code: of the server's reply, 0 when there was none.
        reply: what the server said, or our words for what went wrong.
        server: its name or address, "" when none was spoken to.
        until: the end of further attempts, as a date; "" when there are none.
    """

    address: str
    action: str
    status: str
    code: int
    reply: str
    server: str
    until: str


def subject(actions: AbstractSet[str]) -> str:
    """The subject of a report that holds these actions; the worst one gives it."""
    return next(words for action, words in _SUBJECTS.items() if action in actions)


def text(hostname: str, sent: str, subject: str, recipients: Iterable[About]) -> str:
    """
    The whole text, of lines that end with a newline.

    Args:
        sent: the date of the message.
        subject: of the message, as its header has it.
    """
    paragraphs = [_wrapped(f"This is an automatic report of the mail server {hostname}.")]
    if shown := _decoded(subject)[:SUBJECT_CHARACTERS]:
        paragraphs.append(f"About: your message of {sent}\n       {shown}")
    else:
        paragraphs.append(f"About: your message of {sent}")
    for about in recipients:
        paragraphs.extend(_told(about))
    paragraphs.append("The attachments repeat this for mail programs.")
    return "\n\n".join(paragraphs) + "\n"


def _told(about: About) -> Iterator[str]:
    yield from _happened(about)
    if about.action in ("failed", "delayed") and (reply := list(_shown_lines(about.reply))):
        server = f"The mail server {_shown(about.server)}" if about.server else "The mail server"
        yield _wrapped(f"{server} said:" if about.code else "The reason:")
        yield textwrap.indent("\n".join(reply), _INDENT)
    if about.action == "failed":
        yield _wrapped(_advice(about))


def _happened(about: About) -> Iterator[str]:
    if about.action == "failed":
        yield "It could not be delivered to"
        yield f"{_INDENT}{_shown(about.address)}"
        if about.status.startswith("4"):
            yield _wrapped("Every attempt has failed, and no more are made.")
    elif about.action == "delayed":
        yield "It could not yet be delivered to"
        yield f"{_INDENT}{_shown(about.address)}"
        until = f" until {about.until}" if about.until else ""
        yield _wrapped(
            f"We go on trying{until}. There is nothing that you have to do, and no need to "
            "send it again."
        )
    elif about.action == "relayed":
        yield "It was handed to the next mail server on its way to"
        yield f"{_INDENT}{_shown(about.address)}"
        yield _wrapped("That server sends no confirmations, so this is the last that you hear.")
    else:
        yield "It was delivered to the mail server of"
        yield f"{_INDENT}{_shown(about.address)}"
        yield _wrapped("That does not mean that it has been read.")


def _advice(about: About) -> str:
    detail = about.status.partition(".")[2]
    if not about.server and detail.startswith("7."):
        return _NOT_TRIED
    return _ADVICE.get(detail) or _ADVICE.get(detail.partition(".")[0]) or _OTHER_ADVICE


def _shown_lines(reply: str) -> Iterator[str]:
    lines = [_shown(line) for line in re.split(r"\r\n|\r|\n", reply, maxsplit=REPLY_LINES)]
    for line in lines[:REPLY_LINES]:
        if line:
            yield from textwrap.wrap(line[:LINE_CHARACTERS], WIDTH - len(_INDENT))


def _shown(text: str) -> str:
    """Without what would end a line, move a cursor or turn the direction of writing."""
    return " ".join("".join(each if each.isprintable() else " " for each in text).split())


def _decoded(subject: str) -> str:
    try:
        return _shown(str(make_header(decode_header(subject))))
    except (HeaderParseError, LookupError, ValueError):
        return _shown(subject)


def _wrapped(sentence: str) -> str:
    return textwrap.fill(sentence, WIDTH)
