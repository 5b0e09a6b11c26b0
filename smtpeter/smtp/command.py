"""One command line becomes one typed command (RFC 5321 section 4.1, with the extensions)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from smtpeter.message.address import AddressError, Mailbox
from smtpeter.message.reply import Reply
from smtpeter.smtp import xtext
from smtpeter.values import frozen

NO_PARAMETERS = Reply(501, "5.5.4", "Syntax error (no parameters allowed)")
UNRECOGNISED = Reply(500, "5.5.2", "Command not recognized")
BAD_CHARACTER = Reply(500, "5.5.2", "Syntax error, control characters are not allowed")
BAD_SENDER = Reply(501, "5.1.7", "Bad sender address syntax")
BAD_RECIPIENT = Reply(501, "5.1.3", "Bad recipient address syntax")
NOT_UTF8 = Reply(500, "5.5.2", "Syntax error, the command is not UTF-8")

# The one address without a domain (RFC 5321 section 4.5.1): of whoever is asked.
POSTMASTER = Mailbox("postmaster", "", "")

# Beyond ASCII much is not "printable" to Python that names are written with (RFC 5892).
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_ADDRESS_TYPE = re.compile(r"[A-Za-z0-9\-]+\Z")  # RFC 3461 section 4.2; all that are registered
_REASON_CHARACTERS = 200  # a reply line has at most 512 octets

ENVID_CHARACTERS = 100  # RFC 3461 section 4.4
ORCPT_CHARACTERS = 500  # RFC 3461 section 4.2
SIZE_DIGITS = 20  # RFC 1870 section 5


class CommandError(ValueError):
    """The line is no command that can be obeyed; `reply` says why."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.text)
        self.reply = reply


@frozen
class Hello:
    """EHLO, or HELO when `extended` is False."""

    name: str
    extended: bool


@frozen
class Mail:
    """MAIL; `size`, `ret`, `envid` are None and `body` is "" where the client said nothing."""

    sender: Mailbox | None
    size: int | None = None
    body: str = ""
    smtputf8: bool = False
    ret: str | None = None
    envid: str | None = None


@frozen
class Rcpt:
    """RCPT; `written` is the address exactly as it stood between the brackets."""

    mailbox: Mailbox
    written: str
    notify: frozenset[str] | None = None
    orcpt: str | None = None


@frozen
class Auth:
    """AUTH; `initial` is None without an initial response, still in base64."""

    mechanism: str
    initial: str | None


@frozen
class Simple:
    """A command without arguments that matter: DATA, RSET, NOOP, QUIT, VRFY and the like."""

    verb: str


@frozen
class Foreign:
    """A request of another protocol: whoever sends it will never speak SMTP."""

    verb: str


# Reads the value of a parameter, None where it has none; a ValueError refuses it.
_Reader = Callable[[str | None], object]

Command = Hello | Mail | Rcpt | Auth | Simple | Foreign


def parse(line: bytes) -> Command:
    """
    Read one command line, given without its CRLF.

    Raises:
        CommandError: with the reply to give.
    """
    try:
        text = line.decode("ascii") if line.isascii() else line.decode("utf-8")
    except UnicodeDecodeError:
        raise CommandError(NOT_UTF8) from None
    if not text.isprintable() and _CONTROL.search(text):
        raise CommandError(BAD_CHARACTER)
    verb, _, argument = text.rstrip(" ").partition(" ")
    reader = _READERS.get(verb.upper())
    if reader is None:
        raise CommandError(UNRECOGNISED)
    return reader(verb.upper(), argument.lstrip(" "))


def _hello(verb: str, argument: str) -> Command:
    if not argument or " " in argument or not argument.isascii():
        raise CommandError(Reply(501, "5.5.4", f"Syntax: {verb} hostname"))
    return Hello(argument, extended=verb == "EHLO")


def _bare(verb: str, argument: str) -> Command:
    if argument:
        raise CommandError(NO_PARAMETERS)
    return Simple(verb)


def _any_argument(verb: str, argument: str) -> Command:  # noqa: ARG001 - RFC 5321 4.1.1.9
    return Simple(verb)


def _foreign(verb: str, argument: str) -> Command:  # noqa: ARG001
    return Foreign(verb)


def _auth(verb: str, argument: str) -> Command:  # noqa: ARG001
    mechanism, _, initial = argument.partition(" ")
    if not mechanism:
        raise CommandError(Reply(501, "5.5.4", "Syntax: AUTH mechanism [initial-response]"))
    if " " in initial:
        raise CommandError(Reply(501, "5.5.4", "Syntax error, too many arguments"))
    return Auth(mechanism.upper(), initial or None)


def _mail(verb: str, argument: str) -> Command:  # noqa: ARG001
    path, parameters = _path(argument, "FROM:", "Syntax: MAIL FROM:<address> [parameters]")
    sender = None
    if path:
        sender = _mailbox(path, BAD_SENDER)
    mail = Mail(sender, **_parameters(parameters, _MAIL_PARAMETERS))
    if sender and not mail.smtputf8 and not path.isascii():
        raise CommandError(Reply(553, "5.6.7", "A non-ASCII address needs SMTPUTF8"))
    return mail


def _rcpt(verb: str, argument: str) -> Command:  # noqa: ARG001
    path, parameters = _path(argument, "TO:", "Syntax: RCPT TO:<address> [parameters]")
    mailbox = POSTMASTER if path.lower() == POSTMASTER.local else _mailbox(path, BAD_RECIPIENT)
    return Rcpt(mailbox, path, **_parameters(parameters, _RCPT_PARAMETERS))


def _path(argument: str, keyword: str, syntax: str) -> tuple[str, str]:
    """The text between the angle brackets, and what stands behind them."""
    if argument[: len(keyword)].upper() != keyword:
        raise CommandError(Reply(501, "5.5.4", syntax))
    rest = argument[len(keyword) :].lstrip(" ")  # a blank here is common and harmless
    end = _end_of_path(rest)
    if end < 0:
        raise CommandError(Reply(501, "5.5.4", syntax))
    path, parameters = rest[1:end], rest[end + 1 :]
    if parameters and not parameters.startswith(" "):
        raise CommandError(Reply(501, "5.5.4", syntax))
    if path.startswith("@"):  # a source route, read and dropped (RFC 5321 appendix C)
        path = path.partition(":")[2]
        if not path:  # else it would be taken for the null path
            raise CommandError(Reply(501, "5.5.4", syntax))
    return path, parameters


def _end_of_path(text: str) -> int:
    """The index of the closing bracket; -1 when there is no path."""
    if not text.startswith("<"):
        return -1
    if '"' not in text:
        return text.find(">")
    quoted = escaped = False
    for index, character in enumerate(text):
        if escaped:
            escaped = False
        elif quoted and character == "\\":
            escaped = True
        elif character == '"':
            quoted = not quoted
        elif character == ">" and not quoted:
            return index
    return -1


def _mailbox(path: str, bad: Reply) -> Mailbox:
    try:
        return Mailbox.parse(path)
    except AddressError as error:
        reason = str(error).encode("ascii", "backslashreplace").decode()[:_REASON_CHARACTERS]
        raise CommandError(Reply(bad.code, bad.enhanced, f"{bad.text}: {reason}")) from None


def _parameters(text: str, known: dict[str, tuple[str, _Reader]]) -> dict[str, Any]:
    """`KEYWORD[=VALUE]` pairs (RFC 5321 section 4.1.2), each at most once."""
    if not text:
        return {}
    given: dict[str, Any] = {}
    seen: set[str] = set()
    for item in filter(None, text.split(" ")):
        keyword, equals, value = item.partition("=")
        keyword = keyword.upper()
        if keyword not in known:
            raise CommandError(Reply(555, "5.5.4", "Unsupported parameter"))
        if keyword in seen:
            raise CommandError(Reply(501, "5.5.4", f"Parameter {keyword} was given twice"))
        seen.add(keyword)
        name, read = known[keyword]
        try:
            given[name] = read(value if equals else None)
        except ValueError:
            raise CommandError(Reply(501, "5.5.4", f"Bad value of parameter {keyword}")) from None
    given.pop("", None)
    return given


def _size(value: str | None) -> int:
    if value is None or not (value.isascii() and value.isdigit()) or len(value) > SIZE_DIGITS:
        raise ValueError
    return int(value)


def _flag(value: str | None) -> bool:
    if value is not None:
        raise ValueError
    return True


def _word_of(*words: str) -> _Reader:
    def read(value: str | None) -> str:
        if value is None or value.upper() not in words:
            raise ValueError
        return value.upper()

    return read


def _envid(value: str | None) -> str:
    decoded = xtext.decode(value or "")
    if not 0 < len(decoded) <= ENVID_CHARACTERS or not decoded.isprintable():
        raise ValueError
    return decoded


def _notify(value: str | None) -> frozenset[str]:
    words = (value or "").upper().split(",")
    if len(set(words)) != len(words) or not set(words) <= {"NEVER", "SUCCESS", "FAILURE", "DELAY"}:
        raise ValueError
    if "NEVER" in words and len(words) > 1:
        raise ValueError
    return frozenset(words)


def _orcpt(value: str | None) -> str:
    kind, _, address = (value or "").partition(";")
    if not _ADDRESS_TYPE.match(kind) or len(kind + address) > ORCPT_CHARACTERS:
        raise ValueError
    decoded = xtext.decode(address)
    if not decoded or not decoded.isprintable():
        raise ValueError
    return f"{kind};{decoded}"


def _auth_parameter(value: str | None) -> None:
    """RFC 4954 section 5: checked, and of no effect: we know who is logged in."""
    if not value:
        raise ValueError
    if value != "<>":
        xtext.decode(value)


_MAIL_PARAMETERS: dict[str, tuple[str, _Reader]] = {
    "SIZE": ("size", _size),
    "BODY": ("body", _word_of("7BIT", "8BITMIME")),
    "SMTPUTF8": ("smtputf8", _flag),
    "RET": ("ret", _word_of("FULL", "HDRS")),
    "ENVID": ("envid", _envid),
    "AUTH": ("", _auth_parameter),
}
_RCPT_PARAMETERS: dict[str, tuple[str, _Reader]] = {
    "NOTIFY": ("notify", _notify),
    "ORCPT": ("orcpt", _orcpt),
}
_READERS: dict[str, Callable[[str, str], Command]] = {
    "EHLO": _hello,
    "HELO": _hello,
    "MAIL": _mail,
    "RCPT": _rcpt,
    "AUTH": _auth,
    "DATA": _bare,
    "RSET": _bare,
    "QUIT": _bare,
    "STARTTLS": _bare,
    "NOOP": _any_argument,
    "VRFY": _any_argument,
    "EXPN": _any_argument,
    "HELP": _any_argument,
    "GET": _foreign,
    "POST": _foreign,
    "PUT": _foreign,
    "HEAD": _foreign,
    "OPTIONS": _foreign,
    "CONNECT": _foreign,
}
