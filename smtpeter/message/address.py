"""Mailboxes: the addresses that route mail (RFC 5321 section 4.1.2, RFC 6531)."""

from __future__ import annotations

import ipaddress
import re
from functools import lru_cache

import idna
from attrs import field

from smtpeter.values import frozen

LOCAL_PART_OCTETS = 64  # RFC 5321 section 4.5.3.1.1
DOMAIN_OCTETS = 255  # section 4.5.3.1.2
PATH_OCTETS = 254  # section 4.5.3.1.3: 256 with the angle brackets

_ATEXT = r"A-Za-z0-9!#$%&'*+/=?^_`{|}~\-\u0080-\U0010ffff"
_LET_DIG = r"A-Za-z0-9\u0080-\U0010ffff"
_DOT_STRING = re.compile(rf"[{_ATEXT}]+(?:\.[{_ATEXT}]+)*\Z")
_QUOTED_STRING = re.compile(r'"(?:[ !#-\[\]-~\u0080-\U0010ffff]|\\[ -~])*"\Z')
_LABEL = re.compile(rf"[{_LET_DIG}](?:[{_LET_DIG}\-]*[{_LET_DIG}])?\Z")
_COMMON = re.compile(
    r"[A-Za-z0-9_+=\-]+(?:\.[A-Za-z0-9_+=\-]+)*"
    r"@[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*(?:\.[A-Za-z0-9]+(?:-+[A-Za-z0-9]+)*)*\Z"
)
_FORBIDDEN = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


class AddressError(ValueError):
    """The text is not one mailbox; the message of the exception says why."""


@frozen
class Mailbox:
    """
    One mailbox, as it was written.

    Attributes:
        local: the local part without quotes or escapes; case matters.
        domain: the domain as written, or an address literal with its brackets.
        domain_key: the domain in lower case and A-label form: what routes and compares.
        text: the mailbox as written in an SMTP command, quoted where it must be.
    """

    local: str
    domain: str = field(eq=False)
    domain_key: str
    text: str = field(init=False, eq=False, repr=False)

    @text.default
    def _text(self) -> str:
        return f"{_written(self.local)}@{self.domain}"

    @classmethod
    def parse(cls, text: str) -> Mailbox:
        """
        Read one mailbox such as `kees@mailbox.example`, nothing around it.

        Raises:
            AddressError: the text is not a mailbox of RFC 5321 or RFC 6531.
        """
        return _mailbox(text)

    @property
    def needs_smtputf8(self) -> bool:
        """True when only a server with SMTPUTF8 can take it: the local part is not ASCII."""
        return not self.local.isascii()

    def __str__(self) -> str:
        return self.text

    def ascii(self) -> str:
        """The same with an A-label domain, for a server without SMTPUTF8."""
        domain = self.domain if self.domain.isascii() else self.domain_key
        return f"{_written(self.local)}@{domain}"


# Senders write the same address in every message, and each stands in it twice.
@lru_cache(maxsize=1024)
def _mailbox(text: str) -> Mailbox:
    if len(text) <= LOCAL_PART_OCTETS and _COMMON.match(text):
        local, _, domain = text.rpartition("@")
        return Mailbox(local, domain, domain.lower())
    if _FORBIDDEN.search(text):
        raise AddressError("it holds a control character")
    written_local, at, domain = text.rpartition("@")
    if not at:
        raise AddressError("it has no @")
    if text.endswith("]") and "@[" in text:  # an IPv6 literal may not hold an @, a tag might
        written_local, _, literal = text.rpartition("@[")
        domain = f"[{literal}"
    local = _local_part(written_local)
    mailbox = Mailbox(local, domain, _domain_key(domain))
    if len(str(mailbox).encode()) > PATH_OCTETS:
        raise AddressError(f"it is longer than {PATH_OCTETS} octets")
    return mailbox


def _written(local: str) -> str:
    if _DOT_STRING.match(local):
        return local
    escaped = local.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _local_part(written: str) -> str:
    if not written:
        raise AddressError("nothing stands before the @")
    if len(written.encode()) > LOCAL_PART_OCTETS:
        raise AddressError(f"its local part is longer than {LOCAL_PART_OCTETS} octets")
    if _DOT_STRING.match(written):
        return written
    if _QUOTED_STRING.match(written):
        return re.sub(r"\\(.)", r"\1", written[1:-1])
    raise AddressError("its local part has a character or dot that needs quotes")


@lru_cache(maxsize=4096)
def _domain_key(domain: str) -> str:
    if domain.startswith("["):
        return _address_literal(domain)
    if not domain:
        raise AddressError("nothing stands after the @")
    if len(domain.encode()) > DOMAIN_OCTETS:
        raise AddressError(f"its domain is longer than {DOMAIN_OCTETS} octets")
    for label in domain.split("."):
        if not _LABEL.match(label):
            raise AddressError(f"{label!r} is no label of a domain name")
        if len(label.encode()) > 63 and label.isascii():
            raise AddressError("a label of its domain is longer than 63 octets")
    if domain.isascii():
        return domain.lower()
    try:
        key = idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError as error:
        raise AddressError(f"its domain is no international domain name: {error}") from None
    if key.endswith("."):  # UTS 46 knows other full stops than that of ASCII
        raise AddressError("its domain ends with a full stop")
    return key


def _address_literal(domain: str) -> str:
    """RFC 5321 section 4.1.3; tags other than IPv6 were never assigned."""
    if not domain.endswith("]"):
        raise AddressError("its address literal has no closing bracket")
    text = domain[1:-1]
    if "%" in text:  # Python takes any text behind it for the zone of an IPv6 address
        raise AddressError("its address literal has a zone")
    try:
        if text[:5].lower() == "ipv6:":
            return f"[IPv6:{ipaddress.IPv6Address(text[5:])}]"
        return f"[{ipaddress.IPv4Address(text)}]"
    except ipaddress.AddressValueError as error:
        raise AddressError(f"its address literal is wrong: {error}") from None
