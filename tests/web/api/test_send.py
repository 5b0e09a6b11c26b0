"""Tests for `smtpeter.web.api.send`: calls as clients make them, and the answers."""

from __future__ import annotations

import base64
import json
from email import message_from_bytes, policy
from typing import Any

from twisted.internet.defer import fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.envelope import Accepted
from smtpeter.message.features import Features
from smtpeter.message.reply import (
    Refused,
    Reply,
    storage_full,
    storage_unavailable,
    too_much_in_flight,
)
from smtpeter.web.api.send import LARGE_BODY_OCTETS
from tests.web.caller import CLIENT, MINIMAL, Answer, Caller

KEES, RIA = "kees@mailbox.example", "ria@mailbox.example"
MIME = "From: noor@shop.example\r\nSubject: Hi\r\n\r\nHello"


class Case(SynchronousTestCase):
    """What the cases below have in common."""

    def setUp(self) -> None:
        self.caller = Caller()

    def assert_error(self, status: int, text: str, document: object, **kwargs: Any) -> None:
        answer = self.caller.post(document, **kwargs)
        self.assertEqual((status, text), (answer.status, answer.error))
        self.assertEqual("application/json", answer.headers["content-type"])
        self.assertEqual([], self.caller.sender.submissions)


class AnswerTests(Case):
    """What is answered."""

    def test_shape(self) -> None:
        """An object of ids and addresses as submitted, in order, with status 200."""
        answer = self.caller.post(MINIMAL | {"recipient": [RIA, "Kees@MAILBOX.example"]})
        self.assertEqual(200, answer.status)
        self.assertEqual("application/json", answer.headers["content-type"])
        expected = [("id1", RIA), ("id2", "Kees@MAILBOX.example")]
        self.assertEqual(expected, list(answer.document.items()))

    def test_suppressed(self) -> None:
        """What is not sent is named in the header, so that the document stays what it is."""
        ids = tuple(f"id{number}" for number in range(3))
        accepted = Accepted(ids, Features(), frozenset({"id0", "id2"}))
        self.caller.sender.result = succeed(accepted)
        answer = self.caller.post(MINIMAL | {"recipient": [KEES, RIA, "eva@mailbox.example"]})
        self.assertEqual(list(ids), list(answer.document))
        told = [answer.headers.get(f"suppressed-{name}") for name in ("count", "messages")]
        self.assertEqual(["2", "id0, id2"], told)
        self.assertNotIn("suppressed-count", self.answered(()).headers)

    def test_many_suppressed(self) -> None:
        """The header does not grow beyond what proxies take."""
        ids = tuple(f"7hQx2LmPzR9a{number:04}" for number in range(1000))
        headers = self.answered(ids).headers
        self.assertEqual("1000", headers["suppressed-count"])
        self.assertEqual(list(ids[:100]), headers["suppressed-messages"].split(", "))

    def answered(self, suppressed: tuple[str, ...]) -> Answer:
        """The answer to a call with so many recipients, to whom nothing is sent, or with one."""
        ids = suppressed or ("id1",)
        accepted = Accepted(ids, Features(), frozenset(suppressed))
        self.caller.sender.result = succeed(accepted)
        addresses = [f"r{number}@mailbox.example" for number in range(len(ids))]
        return self.caller.post(MINIMAL | {"recipient": addresses})

    def test_one_submission(self) -> None:
        """A call is one submission, whatever the number of recipients."""
        submission = self.caller.submitted(MINIMAL | {"recipients": [KEES, RIA]})
        self.assertEqual(1, len(self.caller.sender.submissions))
        written = [each.written for each in submission.envelope.recipients]
        self.assertEqual([KEES, RIA], written)
        self.assertEqual((CLIENT, "HTTPS"), (submission.trace.address, submission.trace.protocol))

    def test_blind_copy(self) -> None:
        """Who gets it need not stand in the message."""
        submission = self.caller.submitted(MINIMAL | {"to": KEES, "recipient": RIA})
        self.assertNotIn(RIA.encode(), bytes(submission.content))

    def test_refused(self) -> None:
        """A refusal keeps its text and status; what may work later says when."""
        sentence = (
            "You cannot send mailings from shop.example without configuring it as sender domain"
        )
        for refused, later in (
            (Refused(Reply(550, "5.7.1", sentence), 403), None),
            (Refused(Reply(550, "5.7.1", "You do not have permission to send email"), 403), None),
            (Refused(Reply(554, "5.5.4", "The key was used before"), 409), None),
            (Refused(Reply(452, "4.3.2", "Slow down"), 429), "30"),
            (Refused(Reply(452, "4.2.2", "Over the quota"), 429, 1799.5), "1800"),
            (storage_full(), "30"),
            (storage_unavailable(), "30"),
            (too_much_in_flight(), "30"),
        ):
            self.caller.sender.result = fail(refused)
            answer = self.caller.post(MINIMAL)
            self.assertEqual((refused.status, refused.reply.text), (answer.status, answer.error))
            self.assertEqual(later, answer.headers.get("retry-after"))

    def test_unexpected(self) -> None:
        """An unexpected failure is 500, logged, and tells nothing."""
        self.caller.sender.result = fail(ValueError("secret"))
        answer = self.caller.post(MINIMAL)
        self.assertEqual(500, answer.status)
        self.assertNotIn("secret", answer.error)
        self.assertEqual(1, len(self.flushLoggedErrors(ValueError)))


class ErrorTextTests(Case):
    """The fixed texts of errors."""

    def test_texts(self) -> None:
        """Each condition has its status and its text."""
        cases: list[tuple[str, dict[str, Any]]] = [
            ("No recipient was given", {"recipient": None}),
            ("Invalid recipient address: kees", {"recipient": "kees"}),
            ("Invalid envelope address: Noor <n@s.example>", {"envelope": "Noor <n@s.example>"}),
            (
                "No message content: give mime, template, or from with text or html",
                {"text": None},
            ),
            ("The from field must contain exactly one email address", {"from": "a@b.c, d@e.f"}),
            ("Extra headers must start with x-: Subject", {"extra": {"Subject": "a"}}),
            ("Invalid tag: a b", {"tags": ["a b"]}),
            (
                "maxdelivertime must be formatted as YYYY-MM-DD hh:mm:ss",
                {"maxdelivertime": "tomorrow"},
            ),
            ("Invalid dsn setting: ret", {"dsn": {"ret": "ALL"}}),
            ("Invalid attachment: number 1 has no data", {"attachments": [{}]}),
        ]
        for text, change in cases:
            self.assert_error(400, text, MINIMAL | change)

    def test_broken_json(self) -> None:
        """A syntax error is told with its place."""
        answer = self.caller.call(b'{"recipient": ', "application/json")
        self.assertEqual(400, answer.status)
        self.assertEqual(
            "The request body is not valid JSON: Expecting value at line 1, column 15", answer.error
        )

    def test_recipients_in_brackets(self) -> None:
        """The notation that is no JSON gets a hint."""
        body = b'{"recipients": ["kees@mailbox.example": {"first": "Kees"}], "mime": "x"}'
        answer = self.caller.call(body, "application/json")
        self.assertEqual(400, answer.status)
        self.assertIn("recipients with data are written as an object", answer.error)

    def test_empty_object(self) -> None:
        """An empty object is answered with an object."""
        self.assert_error(400, "No recipient was given", {})

    def test_nothing_is_sent_partly(self) -> None:
        """One bad recipient among good ones, and nothing is sent."""
        self.assert_error(
            400, "Invalid recipient address: x", MINIMAL | {"recipients": [KEES, "x", RIA]}
        )

    def test_limit_of_recipients(self) -> None:
        """A call has at most so many recipients."""
        many = [f"k{n}@mailbox.example" for n in range(1001)]
        text = "There are more than 1000 recipients in one call"
        self.assert_error(400, text, MINIMAL | {"recipients": many})

    def test_content_type(self) -> None:
        """A body of another type is refused."""
        answer = self.caller.call(b"<send/>", "application/xml")
        self.assertEqual(415, answer.status)

    def test_compressed(self) -> None:
        """A compressed body is refused, not misread."""
        headers = {"Content-Encoding": "gzip"}
        self.assert_error(415, "The request body must not be compressed", MINIMAL, headers=headers)


class IdempotencyTests(Case):
    """Keys for repeated calls."""

    def test_key(self) -> None:
        """The key goes with the submission."""
        for key in ("k", "!~" * 127):
            self.caller.post(MINIMAL, headers={"Idempotency-Key": key})
            self.assertEqual(key, self.caller.sender.submissions[-1].idempotency_key)

    def test_wrong_key(self) -> None:
        """A key that could not be stored is refused."""
        text = "The Idempotency-Key must be 1 to 255 visible ASCII characters"
        for key in ("", "a b", "x" * 256, "é"):
            self.assert_error(400, text, MINIMAL, headers={"Idempotency-Key": key})


class ThreadTests(Case):
    """Where the work is done."""

    def test_small(self) -> None:
        """A small call is read at once."""
        self.caller.submitted(MINIMAL)
        self.assertEqual([], self.caller.threads)

    def test_large(self) -> None:
        """A large one is read in a thread, with the same result and the same errors."""
        text = "x" * LARGE_BODY_OCTETS
        submission = self.caller.submitted(MINIMAL | {"mime": f"From: a@b.example\n\n{text}"})
        self.assertIn(text.encode(), bytes(submission.content))
        answer = self.caller.post({"mime": text})
        self.assertEqual((400, "No recipient was given"), (answer.status, answer.error))
        self.assertEqual(2, len(self.caller.threads))


class FieldTests(Case):
    """Fields in all their spellings, as JSON and as forms."""

    def test_earlier_names(self) -> None:
        """The earlier names work as JSON and in both kinds of forms."""
        fields = {
            "Envelope": "bounce@shop.example",
            "Recipient": KEES,
            "Body": MIME,
            "clicktracking": "true",
            "inlinizecss": "0",
            "bouncetracking": "no",
            "openstracking": "on",
        }
        self.caller.post(fields)
        self.caller.post_form(*fields.items())
        json_submission, form_submission = self.caller.sender.submissions
        self.assertEqual(json_submission, form_submission)
        self.assertEqual("bounce@shop.example", str(form_submission.envelope.sender))
        self.assertEqual(f"{MIME}\r\n".encode(), bytes(form_submission.content))
        overrides = form_submission.overrides
        self.assertEqual((True, False), (overrides.trackclicks, overrides.inlinecss))
        self.assertEqual((False, True), (overrides.trackbounces, overrides.trackopens))

    def test_form_as_documented(self) -> None:
        """A form is read as it comes over the wire."""
        body = (
            b"Envelope=bounce%40shop.example&Recipient=kees%40mailbox.example"
            b"&Body=From%3A+noor%40shop.example%0D%0ASubject%3A+Hi%0D%0A%0D%0AHello"
            b"&clicktracking=true&inlinizecss=0"
        )
        answer = self.caller.call(body, "application/x-www-form-urlencoded")
        self.assertEqual({"id1": KEES}, answer.document)

    def test_forms_of_recipients(self) -> None:
        """Every form of recipients that can be read gives the same two."""
        rest = {"from": "noor@shop.example", "text": "x"}
        documents: list[dict[str, Any]] = [
            {"recipient": f"{KEES},{RIA}"},
            {"recipient": [KEES, RIA]},
            {"recipients": [KEES, RIA]},
            {"recipients": f"{KEES}, {RIA}"},
            {"recipients": {KEES: {}, RIA: {}}},
            {"recipients": [{KEES: {}}, RIA]},
            {"recipient": KEES, "recipients": [RIA, KEES]},
        ]
        answers = [self.caller.post(rest | document) for document in documents]
        answers += [
            self.caller.post_form(*rest.items(), *pairs)
            for pairs in (
                [("recipient", KEES), ("recipient", RIA)],
                [("recipients[]", KEES), ("recipients[]", RIA)],
                [("recipients", json.dumps([KEES, RIA]))],
            )
        ]
        for answer in answers:
            self.assertEqual({"id1": KEES, "id2": RIA}, answer.document)

    def test_one_correct_header(self) -> None:
        """Arrays, lists with commas and names give one To header."""
        to = [f"{KEES}, Ria <{RIA}>", '"Doe, Jan" <jan@x.example>']
        submission = self.caller.submitted(MINIMAL | {"to": to})
        (field,) = (each for each in submission.content.fields() if each.name == "to")
        self.assertEqual(f'{KEES}, Ria <{RIA}>, "Doe, Jan" <jan@x.example>', field.value)

    def test_multipart_form(self) -> None:
        """A form with parts, as some languages send it, nests with brackets."""
        pairs = [
            *MINIMAL.items(),
            ("unsubscribe[url]", "https://shop.example/out"),
            ("unsubscribe[oneclick]", "1"),
            ("attachments[0][name]", "a.txt"),
            ("attachments[0][data]", "QUI="),
        ]
        parts = [
            f'--b\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
            for name, value in pairs
        ]
        body = "".join([*parts, "--b--\r\n"]).encode()
        answer = self.caller.call(body, "multipart/form-data; boundary=b")
        self.assertEqual(200, answer.status, answer.body)
        content = bytes(self.caller.sender.submissions[0].content)
        self.assertIn(b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n", content)
        self.assertIn(b"QUI=", content)


class ClientTests(Case):
    """The requests of published clients, as they make them."""

    def test_vendor_package(self) -> None:
        """Its JSON has escaped slashes and characters, arrays, and booleans."""
        body = (
            rb'{"from":"No\u00f6r <noor@shop.example>","subject":"Spr\u00efng","text":"a\/b",'
            rb'"html":"<b>x<\/b>","to":["kees@mailbox.example"],"cc":["ria@mailbox.example"],'
            rb'"recipients":["kees@mailbox.example","ria@mailbox.example"],'
            rb'"envelope":"bounce@shop.example","dsn":{"orcpt":"kees@old.example","ret":"FULL"},'
            rb'"inlinecss":true,"trackclicks":false,"trackbounces":true,"trackopens":false}'
        )
        answer = self.caller.call(body, "application/json")
        self.assertEqual(200, answer.status)
        self.assertEqual({"id1": KEES, "id2": RIA}, answer.document)
        submission = self.caller.sender.submissions[0]
        message = message_from_bytes(bytes(submission.content), policy=policy.default)
        self.assertEqual("Noör <noor@shop.example>", message["from"])
        self.assertIn(b"From: =?utf-8?", bytes(submission.content))
        self.assertEqual("Sprïng", message["subject"])
        self.assertEqual("FULL", submission.envelope.ret)
        self.assertEqual("rfc822;kees@old.example", submission.envelope.recipients[0].orcpt)
        self.assertEqual(
            (True, False, True, False),
            (
                submission.overrides.inlinecss,
                submission.overrides.trackclicks,
                submission.overrides.trackbounces,
                submission.overrides.trackopens,
            ),
        )

    def test_vendor_package_empty(self) -> None:
        """Its empty message is answered with an error that is an object."""
        answer = self.caller.call(b"{}", "application/json")
        self.assertEqual(400, answer.status)
        self.assertIsInstance(answer.document, dict)

    def other_package(self) -> dict[str, Any]:
        return {
            "recipients": [KEES, "log@shop.example"],
            "to": [KEES],
            "from": "noor@shop.example",
            "replyTo": "help@shop.example",
            "bcc": ["log@shop.example"],
            "subject": "S",
            "text": "t",
            "html": "<b>h</b>",
            "attachments": [{"name": "a.pdf", "data": base64.b64encode(b"%PDF").decode()}],
        }

    def test_other_package(self) -> None:
        """Its blind copies and camel case are taken, with the type compared for equality."""
        headers = {"Accept": "application/json", "User-Agent": "GuzzleHttp/7"}
        answer = self.caller.post(self.other_package(), headers=headers)
        self.assertEqual((200, "application/json"), (answer.status, answer.headers["content-type"]))
        self.assertEqual({"id1": KEES, "id2": "log@shop.example"}, answer.document)
        content = bytes(self.caller.sender.submissions[0].content)
        self.assertIn(b"Reply-To: help@shop.example\r\n", content)
        self.assertNotIn(b"log@shop.example", content)

    def test_other_package_with_template(self) -> None:
        """A template is refused, even when there is a text to send without it."""
        document = self.other_package() | {"template": 3}
        self.assert_error(400, "The field template is not available yet", document)

    def test_other_package_with_recipient_only(self) -> None:
        """It then repeats the recipients as To."""
        document = {"recipients": [KEES], "to": [KEES], "from": "noor@shop.example", "text": "t"}
        self.assertEqual({"id1": KEES}, self.caller.post(document).document)

    def test_documented_class(self) -> None:
        """The example classes of the documentation send plain strings."""
        document = {
            "envelope": "noor@shop.example",
            "recipient": KEES,
            "subject": "s",
            "from": "noor@shop.example",
            "to": KEES,
            "text": "t",
            "html": "h",
        }
        self.assertEqual({"id1": KEES}, self.caller.post(document).document)
