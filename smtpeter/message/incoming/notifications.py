"""Delivery status notifications, as they come in (RFC 3464, RFC 6522, RFC 6533)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence

from smtpeter.message.incoming.addresses import addresses_in
from smtpeter.message.incoming.decoding import Header, lines_of, one_line, text_of
from smtpeter.message.incoming.diagnostics import (
    diagnostic_line,
    first_code,
    first_status,
    reply_code,
    status_in_words,
)
from smtpeter.message.incoming.fieldgroups import groups_of, without_comments
from smtpeter.message.incoming.findings import DeliveryReport, RecipientReport, ReportedAction
from smtpeter.message.incoming.letter import Letter

RECIPIENTS = 100
NAME_CHARACTERS = 255
ADDRESS_CHARACTERS = 500

_STATUS_TYPES = ("message/delivery-status", "message/global-delivery-status")
# Under these, servers and gateways hide what should be of those.
_OTHER_TYPES = ("text/plain", "application/octet-stream", "message/delivery-notification")

_MESSAGE_FIELDS = ("reporting-mta", "original-envelope-id")
_RECIPIENT_FIELDS = ("final-recipient", "original-recipient", "x-actual-recipient")
_ONCE = frozenset({"original-recipient", "final-recipient", "action", "status"})
_LINES_ABOUT = 10
_STATUS = re.compile(r"([245]\.[0-9]{1,3}(?:\.[0-9]{1,3})?)(?![0-9])")
_TYPED = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9_.\-]{0,40})\s*;\s*")
_EMBEDDED = re.compile(r"\\x\{(1?[0-9A-Fa-f]{2,5})\}")
_XTEXT = re.compile(r"\+([0-9A-F]{2})")
_SURROGATES = range(0xD800, 0xE000)

# What servers write for the words of RFC 3464 section 2.3.3.
_ACTIONS = {
    "failed": ReportedAction.FAILED,
    "failure": ReportedAction.FAILED,
    "fail": ReportedAction.FAILED,
    "error": ReportedAction.FAILED,
    "bounced": ReportedAction.FAILED,
    "expired": ReportedAction.FAILED,
    "rejected": ReportedAction.FAILED,
    "undeliverable": ReportedAction.FAILED,
    "hard bounce": ReportedAction.FAILED,
    "soft bounce": ReportedAction.FAILED,
    "delayed": ReportedAction.DELAYED,
    "delay": ReportedAction.DELAYED,
    "deferred": ReportedAction.DELAYED,
    "delivered": ReportedAction.DELIVERED,
    "deliverable": ReportedAction.DELIVERED,
    "delivery": ReportedAction.DELIVERED,
    "success": ReportedAction.DELIVERED,
    "relayed": ReportedAction.RELAYED,
    "expanded": ReportedAction.EXPANDED,
}
_BY_CLASS = {
    "2": ReportedAction.DELIVERED,
    "4": ReportedAction.DELAYED,
    "5": ReportedAction.FAILED,
}
_CLASSES = {
    ReportedAction.FAILED: "5",
    ReportedAction.DELAYED: "4",
    ReportedAction.DELIVERED: "2",
    ReportedAction.RELAYED: "2",
    ReportedAction.EXPANDED: "2",
}


def delivery_report(letter: Letter) -> DeliveryReport | None:
    """
    Read the report that a message is; None when it is none, or says nothing of a recipient.

    A status part counts wherever it stands. Where there is none, parts of other types are
    looked into if the message says that it is a report, or a server wrote it.
    """
    for part in letter.parts(*_STATUS_TYPES):
        if report := _report(letter, lines_of(text_of(letter.octets, part))):
            return report
    if letter.root.media_type == "multipart/report" or letter.null_sender:
        for part in (*letter.parts(*_OTHER_TYPES), letter.root):
            if part.children:
                continue
            lines = lines_of(text_of(letter.octets, part))
            if _has_status(lines) and (report := _report(letter, lines)):
                return report
    return None


def _has_status(lines: Iterable[str]) -> bool:
    names = {line.partition(":")[0].strip().lower() for line in lines if ":" in line}
    return "final-recipient" in names and bool(names & {"action", "status"})


def _report(letter: Letter, lines: Iterable[str]) -> DeliveryReport | None:
    groups = groups_of(lines, _ONCE)
    about_message = next(
        (each for each in groups if any(map(each.first, _MESSAGE_FIELDS))), Header()
    )
    recipients = [_recipient(each, letter.lines) for each in _recipient_groups(groups)]
    known = tuple(each for each in recipients if each is not None)[:RECIPIENTS]
    if not known:
        return None
    return DeliveryReport(
        one_line(about_message.first("original-envelope-id"), NAME_CHARACTERS),
        _host(about_message.first("reporting-mta")),
        known,
        letter.returned,
    )


def _is_recipient(group: Header) -> bool:
    return any(group.first(name) for name in (*_RECIPIENT_FIELDS, "action", "diagnostic-code"))


def _recipient_groups(groups: Sequence[Header]) -> Iterator[Header]:
    """
    The groups about a recipient, each whole.

    Some servers put empty lines within a group, others none between two.
    """
    whole = Header()
    for group in groups:
        if whole.values and _begins_another(group, whole):
            yield whole
            whole = Header()
        if whole.values or _is_recipient(group):
            whole = Header({**group.values, **whole.values})
    if whole.values:
        yield whole


def _begins_another(group: Header, whole: Header) -> bool:
    is_complete = all(map(whole.first, ("final-recipient", "action", "status")))
    if is_complete and any(map(group.first, _RECIPIENT_FIELDS)):
        return True
    return any(group.first(name) and whole.first(name) for name in ("final-recipient", "action"))


def _recipient(group: Header, prose: Sequence[str]) -> RecipientReport | None:
    final = _address(group.first("final-recipient")) or _address(group.first("x-actual-recipient"))
    original = _address(group.first("original-recipient"))
    _, diagnostic = _typed(group.first("diagnostic-code"))
    status = _status(group.first("status"))
    action = _action(group.first("action"), status)
    if action is None or not (final or original or status or diagnostic):
        return None
    said = [diagnostic] if diagnostic else _said_of(final or original, prose)
    if not said and reply_code(group.first("status")):
        said = [group.first("status")]
    code = first_code(said)
    return RecipientReport(
        action,
        final,
        original,
        status,
        _exact(status, said, code, action),
        code,
        diagnostic_line("\n".join(said)) if said else "",
        _host(group.first("remote-mta")),
    )


def _action(word: str, status: str) -> ReportedAction | None:
    word = " ".join(without_comments(word).lower().split())
    return _ACTIONS.get(word) or _BY_CLASS.get(status[:1])


def _status(value: str) -> str:
    """The enhanced status code of the field, with an X.0 where its detail is missing."""
    match = _STATUS.search(value)
    if match is not None:
        return match[1] if match[1].count(".") == 2 else f"{match[1]}.0"
    code = reply_code(value)
    return f"{code // 100}.0.0" if code else ""


def _exact(status: str, said: Sequence[str], code: int, action: ReportedAction) -> str:
    """What was said, where the field has no more than the class (RFC 3463 section 3.1)."""
    if status and not status.endswith(".0.0"):
        return status
    named = first_status(said)
    level = (status or named)[:1] or (str(code // 100) if code else _CLASSES[action])
    if named.startswith(level):
        return named
    return level + (status_in_words(" ".join(said)) or "x.0.0")[1:]


def _said_of(address: str, prose: Sequence[str]) -> list[str]:
    """What the words for a person say of a recipient, where the fields are silent."""
    start = next((at for at, line in enumerate(prose) if address and address in line), len(prose))
    said: list[str] = []
    for line in prose[start : start + _LINES_ABOUT]:
        if not line and any(said):
            break
        said.append(line.replace(f"<{address}>", "").strip(" :") if not said else line.strip())
    return said if first_code(said) or status_in_words(" ".join(said)) else []


def _typed(value: str) -> tuple[str, str]:
    """A type and what stands behind the semicolon; the type may be missing."""
    match = _TYPED.match(value)
    return (match[1].lower(), value[match.end() :]) if match else ("", value.strip())


def _host(value: str) -> str:
    _, name = _typed(without_comments(value))
    word = next(iter(name.split()), "")
    return one_line(word.rstrip("."), NAME_CHARACTERS)


def _address(value: str) -> str:
    """The address of a field such as "rfc822; kees@mailbox.example", with nothing around it."""
    kind, text = _typed(value)
    if kind == "rfc822":  # some write it twice
        text = text.removeprefix("rfc822;")
    text = without_comments(text) if "(" in text else text.strip()
    if kind == "utf-8":
        text = _EMBEDDED.sub(_character, text)
    elif "@" not in text and "+40" in text:  # RFC 3461 section 4, which was not decoded
        text = _XTEXT.sub(lambda match: chr(int(match[1], 16)), text)
    address = text.strip(" <>")
    if " " in address or "<" in address:
        found = next(addresses_in(address), None)
        address = found.address if found is not None else address
    return one_line(address, ADDRESS_CHARACTERS)


def _character(match: re.Match[str]) -> str:
    """RFC 6533 section 3: the number of a character stands for it."""
    number = int(match[1], 16)
    return match[0] if number in _SURROGATES or number > 0x10FFFF else chr(number)
