"""Mails of our own that break signatures where somebody is careless with octets."""

from __future__ import annotations

from base64 import encodebytes

DOMAIN = "shop.example"

_FIELDS = (
    b"From: Noor <noor@shop.example>\r\nTo: kees@mailbox.example\r\nSubject: Your order\r\n"
    b"Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <%b@shop.example>\r\n"
)
_ADDRESS_FIELDS = b"From: noor@shop.example\r\nTo: kees@mailbox.example\r\n"
_MIME = b"MIME-Version: 1.0\r\n"
_TEXT_8BIT = _MIME + b"Content-Type: text/plain; charset=%b\r\nContent-Transfer-Encoding: 8bit\r\n"
_SENTENCE = "Dear customer, smörgås och räksmörgås are on their way to you. "

# All that 8BITMIME carries in a line (RFC 6152): any octet but NUL, CR and LF.
_ANY_OCTETS = bytes(octet for octet in range(1, 256) if octet not in b"\r\n")

_HTML = """<!DOCTYPE html>\r
<html><head><style>p { color: #336699 }\tp.small { font-size: 80% }</style></head>\r
<body>  \r
<p>Grüße, <a href="https://shop.example/orders/7?a=1&amp;b=2">your order</a></p>\t \r
<p class="small">A  line\twith   blanks \r
\r
</p></body></html>\r
\r
\r
"""

# A signature of somebody before us, which the message no longer agrees with.
_FORMER_SIGNATURE = (
    b"DKIM-Signature: v=1; a=rsa-sha256; c=simple/simple; d=desk.example; s=former;\r\n"
    b"\th=from:subject; bh=47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=;\r\n"
    b"\tb=dGhpcyB3YXMgbmV2ZXIgYSBzaWduYXR1cmUgb2YgYW55dGhpbmcgYXQgYWxs\r\n"
)


def awkward_mails() -> dict[str, bytes]:
    """
    Name to octets. Lines end with CRLF, but for the last one of some.

    All are from an address of `DOMAIN` but those whose names begin with "idn".
    """
    return {
        **_with_bodies(),
        **_with_headers(),
        **_eightbit(),
        **_with_parts(),
    }


def _mail(name: str, body: bytes, more: bytes = b"") -> bytes:
    return _FIELDS % name.encode() + more + b"\r\n" + body


def _with_bodies() -> dict[str, bytes]:
    bodies = {
        "plain": b"Hello,\r\n\r\nit is on its way.\r\n",
        "empty body": b"",
        "only empty lines": b"\r\n\r\n\r\n",
        "only blanks": b" \t\r\n\t\r\n  \r\n",
        "only a blank": b" ",
        "no final newline": b"Hello,\r\nit is on its way.",
        "no final newline after blanks": b"Hello,\r\nit is on its way. \t ",
        "no final newline after empty lines": b"Hello\r\n\r\n\r\n ",
        "trailing empty lines": b"Hello\r\n\r\n\r\n\r\n\r\n",
        "trailing lines of blanks": b"Hello\r\n \r\n\t\t\r\n  \t\r\n",
        "leading empty lines": b"\r\n\r\n \r\nHello\r\n",
        "trailing blanks": b"Hello \r\nit is\t\r\non its way \t \r\n",
        "tabs": b"\tHello\t\tit\t is \t on\r\n\t\t\r\n\tits way\r\n",
        "runs of blanks": (b"a" + b" " * 500 + b"\t" * 90 + b"b" + b" \t" * 190 + b"\r\n") * 300,
        "dots": b".\r\n..\r\n.a\r\n. \r\n.\r\n",
        "a last dot without a newline": b"Hello\r\n.",
        "a line of 998": b"x" * 998 + b"\r\n",
        "a long line": b"long " * 1200 + b"\r\nshort\r\n",
        "many lines": b"A line of  some length, with blanks. \r\n" * 12_000,
        "many empty lines": b"Hello\r\n" + b"\r\n" * 150_000 + b"there\r\n" + b"\r\n" * 150_000,
        "other white space": b"form\x0cfeed \x0b\r\n\x0c\r\n\xc2\xa0\r\nbell\x07 \x7f\r\n",
    }  # fmt: skip
    return {
        name: _mail(f"body{number}", body) for number, (name, body) in enumerate(bodies.items())
    }


def _with_headers() -> dict[str, bytes]:
    body = b"\r\nHello\r\n"
    return {
        "no empty line": _FIELDS % b"header0",
        "no empty line or newline": (_FIELDS % b"header1").removesuffix(b"\r\n"),
        "empty subject": _ADDRESS_FIELDS + b"Subject:\r\n" + body,
        "subject of blanks": _ADDRESS_FIELDS + b"Subject: \t  \r\n" + body,
        "no subject": _ADDRESS_FIELDS + body,
        "no recipient named": b"From: noor@shop.example\r\nSubject: For you\r\n" + body,
        "folded": (
            b"From: Noor\r\n <noor@shop.example>\r\nTo: kees@mailbox.example,\r\n"
            b"\tbas@mailbox.example,\r\n \t ada@mailbox.example\r\nSubject:\r\n Your\r\n"
            b"  order \r\n\t number  7\r\nReferences: <1@shop.example>\r\n\t<2@shop.example>\r\n"
            b"In-Reply-To:\r\n <2@shop.example>\r\n" + body
        ),
        "folded with lines of blanks": (
            _ADDRESS_FIELDS + b"Subject: Your\r\n \t\r\n  order\r\n \r\nX-Other: 1\r\n" + body
        ),
        "blanks around": _ADDRESS_FIELDS + b"Subject: \t Your \t  order\t \r\n" + body,
        # Not before that of From, by which opendkim's filter finds out whose mail it is, and no
        # tabs, at which its library gives up.
        "blanks before colons": (
            b"From: noor@shop.example\r\nTo : kees@mailbox.example\r\n"
            b"Subject   :Your order\r\n" + body
        ),
        "odd case": (
            b"FROM:noor@shop.example\r\ntO:kees@mailbox.example\r\nsUBJECT:Your order\r\n"
            b"mime-VERSION:1.0\r\nMessage-Id:<odd@shop.example>\r\n" + body
        ),
        "empty fields": (
            _ADDRESS_FIELDS + b"Cc:\r\nReply-To: \r\nX-Empty:\r\nReferences:\r\n \r\nSender:\r\n"
            + b"List-Unsubscribe:\r\n" + body
        ),
        "several of a kind": (
            b"Received: from a\r\n by b\r\nReceived: from c by d\r\n" + _ADDRESS_FIELDS
            + b"To: bas@mailbox.example\r\nSubject: first\r\nSubject: second\r\n"
            + b"Reply-To: a@shop.example\r\nReply-To: b@shop.example\r\n"
            + b"List-Unsubscribe: <mailto:out@shop.example>\r\n"
            + b"List-Unsubscribe: <https://shop.example/out>\r\nSubject: third\r\n"
            + b"References: <1@shop.example>\r\nReferences: <2@shop.example>\r\n" + body
        ),
        "a newsletter's fields": (
            _FIELDS % b"header2" + b"Sender: news@shop.example\r\nReply-To: help@shop.example\r\n"
            + b"Feedback-ID: spring:shop:news:relay\r\n"
            + b"List-Unsubscribe: <https://shop.example/out?who=7>,\r\n\t<mailto:out@shop.example>"
            + b"\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" + body
        ),
        "many recipients": (
            b"From: noor@shop.example\r\nTo: kees@mailbox.example"
            + b"".join(b",\r\n customer%d@mailbox.example" % number for number in range(900))
            + b"\r\n" + body
        ),
        "a long subject": _ADDRESS_FIELDS + b"Subject: " + b"x" * 900 + b"\r\n" + body,
        "signed before": _FORMER_SIGNATURE + _FIELDS % b"header3" + body,
        "signed twice before": _FORMER_SIGNATURE * 2 + _FIELDS % b"header4" + body,
        "colons and semicolons": _ADDRESS_FIELDS + b"Subject: b=1; h=from:to; : ;b=\r\n" + body,
    }  # fmt: skip


def _eightbit() -> dict[str, bytes]:
    sentence = _SENTENCE * 3 + "\r\n"
    return {
        "utf-8": _mail("eight0", sentence.encode(), _TEXT_8BIT % b"utf-8"),
        "latin-1": _mail("eight1", sentence.encode("latin-1"), _TEXT_8BIT % b"iso-8859-1"),
        "latin-1 undeclared": _mail("eight2", sentence.encode("latin-1")),
        "utf-8 in fields": (
            "From: Zoë <noor@shop.example>\r\nTo: Jürgen <kees@mailbox.example>\r\n"
            "Subject: Smörgås  på väg\r\n\r\nHello\r\n"
        ).encode(),
        "junk in fields": (
            _ADDRESS_FIELDS + b"Subject: \xff\xfe \x80\xa0 caf\xe9\r\n"
            b"Reply-To: \xe9\xe9 <noor@shop.example>\r\nX-Junk: " + _ANY_OCTETS + b"\r\n"
            b"\r\nHello\r\n"
        ),
        "any octets": _mail("eight3", (_ANY_OCTETS + b"\r\n") * 40, _MIME),
        "idn": (
            "From: noor@bücher.example\r\nTo: kees@mailbox.example\r\nSubject: Bücher\r\n\r\n"
            "Hello\r\n"
        ).encode(),
        "idn in A-labels": (
            b"From: noor@xn--bcher-kva.example\r\nTo: kees@mailbox.example\r\n"
            b"Subject: =?utf-8?q?B=C3=BCcher?=\r\n\r\nHello\r\n"
        ),
    }  # fmt: skip


def _with_parts() -> dict[str, bytes]:
    picture = encodebytes(bytes(range(256)) * 400).replace(b"\n", b"\r\n")
    return {
        "html": _mail(
            "parts0",
            _HTML.encode(),
            _MIME + b"Content-Type: text/html; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n",
        ),
        "html in base64": _mail(
            "parts1",
            encodebytes(_HTML.encode()).replace(b"\n", b"\r\n"),
            _MIME + b"Content-Type: text/html;\r\n\tcharset=utf-8\r\n"
            b"Content-Transfer-Encoding: base64\r\n",
        ),
        "text, html, picture": _mail(
            "parts2",
            b"A preamble \r\n--outer\r\nContent-Type: multipart/alternative; boundary=inner\r\n"
            b"\r\n--inner\r\nContent-Type: text/plain; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" + _SENTENCE.encode() + b"\r\n"
            b"--inner \t\r\nContent-Type: text/html; charset=utf-8\r\n"
            b"Content-Transfer-Encoding: 8bit\r\n\r\n" + _HTML.encode() + b"\r\n--inner--\r\n"
            b"--outer\r\nContent-Type: image/png\r\nContent-Transfer-Encoding: base64\r\n\r\n"
            + picture + b"\r\n--outer--\r\nAn epilogue \t",
            _MIME + b'Content-Type: multipart/mixed;\r\n boundary="outer"\r\n',
        ),
    }  # fmt: skip
