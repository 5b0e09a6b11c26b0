"""Tests for `smtpeter.web.api.contents`."""

from __future__ import annotations

import base64
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import HEADER_OCTETS
from smtpeter.web.api.contents import Written, written
from smtpeter.web.problem import Problem

NOOR = {"from": "Noor <noor@shop.example>", "text": "Hello"}
MIME = "From: noor@shop.example\nSubject: Hi\n\nHello"


def read(**fields: Any) -> Written:
    return written(fields, "u1", None)


def parsed(**fields: Any) -> EmailMessage:
    message = message_from_bytes(bytes(read(**fields).content), policy=policy.default)
    assert isinstance(message, EmailMessage)
    return message


class Case(SynchronousTestCase):
    """What the cases below have in common."""

    def assert_problem(self, text: str, /, **fields: Any) -> None:
        problem = self.assertRaises(Problem, read, **fields)
        self.assertEqual((400, text), (problem.status, problem.text))


class MimeTests(Case):
    """Complete messages."""

    def test_taken_as_it_is(self) -> None:
        """Line ends become CRLF, empty lines in front are dropped, and that is all."""
        message = read(mime=f"\r\n\n{MIME}\r.", subject="ignored", text="ignored")
        expected = b"From: noor@shop.example\r\nSubject: Hi\r\n\r\nHello\r\n.\r\n"
        self.assertEqual(expected, bytes(message.content))
        self.assertFalse(message.complete)

    def test_ignored_fields(self) -> None:
        """Fields that shape a message are not even looked at."""
        read(mime=MIME, to=5, subject=[], attachments="x", extra={"a": "b"}, headers={"a": "b"})

    def test_unsubscribe(self) -> None:
        """The headers for leaving a list are added, unless there is one already."""
        unsubscribe = {"url": "https://shop.example/out", "oneclick": True}
        message = read(mime=MIME, unsubscribe=unsubscribe)
        names = [each.name for each in message.content.fields()]
        expected = ["list-unsubscribe", "list-unsubscribe-post", "from", "subject"]
        self.assertEqual(expected, names)
        own = f"List-Unsubscribe: <mailto:a@b.example>\n{MIME}"
        message = read(mime=own, unsubscribe=unsubscribe)
        self.assertEqual(own.replace("\n", "\r\n") + "\r\n", bytes(message.content).decode())

    def test_endless_header(self) -> None:
        """A header block beyond the limit is refused."""
        text = f"Invalid message: its header is longer than {HEADER_OCTETS} octets"
        self.assert_problem(text, mime="X-A: b\n" * HEADER_OCTETS)

    def test_type(self) -> None:
        """It is a string."""
        self.assert_problem("The field mime must be a string, not an object", mime={})


class PropertiesTests(Case):
    """Messages made of fields."""

    def test_all_fields(self) -> None:
        """Every field has its place."""
        message = parsed(
            **NOOR,
            to=["kees@mailbox.example, Ria <ria@mailbox.example>", {"address": "a@b.example"}],
            cc="Zoë <zoe@mailbox.example>",
            replyto="help@shop.example",
            bcc=["secret@mailbox.example"],
            subject="Lénte",
            html="<b>Hello</b>",
            extra={"x-campaign": 44, "X-Flag": True, "x-text": "é"},
            unsubscribe={"email": "out@shop.example"},
            attachments=[{"name": "a.txt", "data": base64.b64encode(b"file").decode()}],
        )
        self.assertEqual("Noor <noor@shop.example>", message["from"])
        self.assertEqual(
            "kees@mailbox.example, Ria <ria@mailbox.example>, a@b.example", message["to"]
        )
        self.assertEqual("Zoë <zoe@mailbox.example>", message["cc"])
        self.assertEqual("help@shop.example", message["reply-to"])
        self.assertEqual("Lénte", message["subject"])
        self.assertEqual(
            ("44", "true", "é"), tuple(message[f"x-{n}"] for n in ("campaign", "flag", "text"))
        )
        self.assertEqual("<mailto:out@shop.example>", message["list-unsubscribe"])
        self.assertEqual("<u1@shop.example>", message["message-id"])
        self.assertEqual(
            [b"file"], [each.get_content().encode() for each in message.iter_attachments()]
        )
        self.assertNotIn("secret", message.as_string())

    def test_one_text_is_enough(self) -> None:
        """An empty text next to one that is not does not count."""
        for fields, kind in (
            ({"text": "a"}, "text/plain"),
            ({"html": "a"}, "text/html"),
            ({"text": "", "html": "a"}, "text/html"),
            ({"text": "a", "html": ""}, "text/plain"),
            ({"text": "", "html": ""}, "text/plain"),
            ({"text": ""}, "text/plain"),
        ):
            message = parsed(**{"from": "noor@shop.example"}, **fields)
            self.assertEqual(kind, message.get_content_type())

    def test_no_content(self) -> None:
        """Without a sender or a text there is nothing to send."""
        text = "No message content: give mime, template, or from with text or html"
        for fields in (
            {},
            {"from": "a@b.example"},
            {"text": "x"},
            {"mime": ""},
            {"from": "", "html": "x"},
        ):
            self.assert_problem(text, **fields)

    def test_sender(self) -> None:
        """There is exactly one sender, as a string or an object."""
        self.assertEqual(
            '"Doe, J" <j@x.example>',
            parsed(**NOOR | {"from": {"name": "Doe, J", "address": "j@x.example"}})["from"],
        )
        wrong: list[Any] = [
            "Noor",
            "a@b.example, c@d.example",
            ["a@b.example"] * 2,
            5,
            {"name": "x"},
        ]
        for value in wrong:
            text = "The from field must contain exactly one email address"
            self.assert_problem(text, **NOOR | {"from": value})

    def test_checked_addresses(self) -> None:
        """Addresses are checked, also those that name nobody."""
        for name in ("to", "cc", "replyto", "bcc"):
            problem = self.assertRaises(Problem, read, **NOOR, **{name: ["kees"]})
            self.assertIn(f"Invalid address in the field {name}: ", problem.text)

    def test_extra(self) -> None:
        """Names begin with x-, values are not nested."""
        self.assert_problem("Extra headers must start with x-: Bcc", **NOOR, extra={"Bcc": "a"})
        text = "The extra header X-A must be a string, not an array"
        self.assert_problem(text, **NOOR, extra={"X-A": ["a"]})
        problem = self.assertRaises(Problem, read, **NOOR, extra={"X-A B": "a"})
        self.assertIn("is no name of a header", problem.text)

    def test_injection(self) -> None:
        """A line break in any field is refused."""
        evil = "a\r\nBcc: victim@mailbox.example"
        for fields in (
            {"subject": evil},
            {"to": f"{evil} <a@b.example>"},
            {"to": {"name": evil, "address": "a@b.example"}},
            {"extra": {"x-a": evil}},
            {"extra": {f"x-{evil}": "a"}},
            {"unsubscribe": {"url": f"https://{evil}"}},
            {"unsubscribe": {"email": evil}},
            {"attachments": [{"name": evil, "data": ""}]},
            {"attachments": [{"type": evil, "data": ""}]},
        ):
            self.assertEqual(400, self.assertRaises(Problem, read, **NOOR, **fields).status)

    def test_smtputf8(self) -> None:
        """A header that cannot be ASCII is told of."""
        self.assertFalse(read(**NOOR, to="Zoë <z@bücher.example>").needs_smtputf8)
        self.assertTrue(read(**NOOR, to="zoë@mailbox.example").needs_smtputf8)


class UnsubscribeTests(Case):
    """Leaving a list."""

    def test_spellings_of_one_click(self) -> None:
        """Both spellings work, with every word for true."""
        url = "https://shop.example/out"
        for fields in ({"oneclick": True}, {"one-click": "yes"}, {"oneclick": "1"}):
            message = parsed(**NOOR, unsubscribe={"url": url, **fields})
            self.assertEqual("List-Unsubscribe=One-Click", message["list-unsubscribe-post"])
        message = parsed(**NOOR, unsubscribe={"url": url, "oneclick": False})
        self.assertNotIn("list-unsubscribe-post", message)

    def test_refused(self) -> None:
        """One click needs https, and there is something to click or to write to."""
        for unsubscribe, reason in (
            ({"url": "http://shop.example/", "oneclick": True}, "one click takes an https url"),
            ({"email": "a@b.example", "oneclick": True}, "one click takes an https url"),
            ({"oneclick": True}, "takes an email or a url"),
            ({"email": "a"}, "the email to unsubscribe is no address"),
            ({"url": 5}, "must be a string"),
            ({"url": "https://x.example/", "oneclick": "maybe"}, "must be true or false"),
        ):
            for content in (NOOR, {"mime": MIME}):
                problem = self.assertRaises(Problem, read, **content, unsubscribe=unsubscribe)
                self.assertEqual(400, problem.status)
                self.assertIn(reason, problem.text)


class AttachmentsTests(Case):
    """Files."""

    def test_data(self) -> None:
        """White space in base64 is passed over; the type given is taken."""
        part = next(
            iter(
                parsed(
                    **NOOR, attachments=[{"data": "QU\r\nI =", "type": "application/x-y"}]
                ).iter_attachments()
            )
        )
        self.assertEqual(("application/x-y", b"AB"), (part.get_content_type(), part.get_content()))

    def test_refused(self) -> None:
        """An error says which one, and why."""
        wrong: list[tuple[Any, str]] = [
            ("x", "attachments must be an array, not a string"),
            ({"data": ""}, "attachments must be an array, not an object"),
            (["x"], "number 1 must be an object, not a string"),
            ([{"data": ""}, {}], "number 2 has no data"),
            ([{"data": "QQ"}], "the data of number 1 is not base64"),
            ([{"data": "é"}], "the data of number 1 is not base64"),
            ([{"data": 5}], "data of number 1 must be a string, not a number"),
            ([{"data": "", "name": ["a"]}], "name of number 1 must be a string, not an array"),
            ([{"data": "", "type": "pdf"}], "'pdf' is no media type such as application/pdf"),
            ([{"data": "", "url": "https://x.example/"}], "number 1 has both data and url"),
        ]
        for value, reason in wrong:
            self.assert_problem(f"Invalid attachment: {reason}", **NOOR, attachments=value)

    def test_url(self) -> None:
        """Fetching a file is not available yet, and is said so."""
        text = "Invalid attachment: number 1 has a url, which is not available yet; use data"
        self.assert_problem(text, **NOOR, attachments=[{"url": "https://x.example/a.pdf"}])
