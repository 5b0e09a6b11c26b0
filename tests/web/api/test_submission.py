"""Tests for `smtpeter.web.api.submission`."""

from __future__ import annotations

import json
from typing import Any

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.envelope import Submission, Trace
from smtpeter.web.api.submission import Call, Limits, read_submission
from smtpeter.web.problem import Problem
from tests.web.caller import MINIMAL, NOW

TRACE = Trace("", "203.0.113.9", "HTTPS")


def read(key: str | None = None, account_id: int = 7, /, **fields: Any) -> Submission:
    body = json.dumps(MINIMAL | fields).encode()
    call = Call(body, "application/json", TRACE, account_id, NOW, key)
    return read_submission(call, Limits(recipients=5, message_octets=2000))


class SubmissionTests(SynchronousTestCase):
    """Fields as a submission."""

    def test_all_parts(self) -> None:
        """Every part of the submission comes from its fields."""
        submission = read(
            recipient="kees@mailbox.example, ria@mailbox.example",
            envelope="bounce@shop.example",
            dsn={"notify": "DELAY", "ret": "FULL", "envid": "e1", "orcpt": "o@x.example"},
            maxdelivertime="2031-04-01 18:00:00",
            trackclicks=False,
            tags="a,b",
        )
        envelope = submission.envelope
        self.assertEqual("bounce@shop.example", str(envelope.sender))
        self.assertEqual(2, len(envelope.recipients))
        self.assertEqual(frozenset({"DELAY"}), envelope.recipients[1].notify)
        self.assertEqual("rfc822;o@x.example", envelope.recipients[1].orcpt)
        self.assertEqual(("FULL", "e1"), (envelope.ret, envelope.envid))
        self.assertEqual((False, False), (envelope.eightbit, envelope.smtputf8))
        self.assertEqual(False, submission.overrides.trackclicks)
        self.assertEqual(("a", "b"), submission.overrides.tags)
        self.assertEqual(1932832800.0, submission.deliver_by)
        self.assertEqual(TRACE, submission.trace)
        self.assertFalse(submission.add_mime_version)

    def test_defaults(self) -> None:
        """What is not said is left open."""
        submission = read()
        self.assertIsNone(submission.envelope.sender)
        self.assertIsNone(submission.envelope.recipients[0].notify)
        self.assertIsNone(submission.deliver_by)
        self.assertIsNone(submission.idempotency_key)
        self.assertIsNone(submission.overrides.trackclicks)

    def test_mime(self) -> None:
        """A complete message may lack a header that is to be added."""
        submission = read(mime="From: noor@shop.example\n\nZoë")
        self.assertTrue(submission.add_mime_version)
        self.assertTrue(submission.envelope.eightbit)
        self.assertFalse(submission.envelope.smtputf8)

    def test_smtputf8(self) -> None:
        """Any address outside ASCII asks for SMTPUTF8."""
        for fields in (
            {"recipient": "zoë@mailbox.example"},
            {"envelope": "zoë@shop.example"},
            {"to": "zoë@mailbox.example"},
        ):
            self.assertTrue(read(**fields).envelope.smtputf8)

    def test_not_available(self) -> None:
        """What is to come later is refused, so that nobody gets a mail without it."""
        for name, value in (
            ("template", 3),
            ("template", "spring"),
            ("template", {"content": {}}),
            ("patch", [{"op": "remove", "path": "/a"}]),
            ("data", {"first": "Noor"}),
        ):
            problem = self.assertRaises(Problem, read, **{name: value})
            expected = (400, f"The field {name} is not available yet")
            self.assertEqual(expected, (problem.status, problem.text))

    def test_headers_without_template(self) -> None:
        """Headers of any name come with a template only."""
        problem = self.assertRaises(Problem, read, headers={"X-A": "b"})
        self.assertIn("The field headers needs a template", problem.text)

    def test_empty_is_absent(self) -> None:
        """Fields that are empty ask for nothing."""
        read(template="", patch=[], data={}, headers=[], recipients={}, attachments=[], dsn=[])

    def test_unknown_fields(self) -> None:
        """Fields that do not exist are passed over."""
        read(colour="green", from_="x")

    def test_too_big(self) -> None:
        """A message over the limit is refused, whatever it is made of."""
        for fields in ({"text": "x\n" * 1000}, {"mime": "From: a@b.example\n\n" + "x\n" * 1000}):
            problem = self.assertRaises(Problem, read, **fields)
            self.assertEqual((413, "Message too big"), (problem.status, problem.text))


class RepeatedTests(SynchronousTestCase):
    """Calls that are made twice."""

    def test_with_key(self) -> None:
        """The same call with the same key gives the same submission, at any time."""
        fields = {"html": "<b>x</b>", "attachments": [{"data": "QQ=="}]}
        first, second = (read("k", **fields) for _ in range(2))
        self.assertEqual(bytes(first.content), bytes(second.content))
        self.assertEqual(first, second)
        self.assertNotIn("date", [each.name for each in first.content.fields()])

    def test_other_calls(self) -> None:
        """Another key, account or body gives another Message-ID, and so does no key."""
        ids = {
            field.raw
            for submission in (
                read("k"),
                read("j"),
                read("k", 8),
                read("k", subject="x"),
                read(),
                read(),
            )
            for field in submission.content.fields()
            if field.name == "message-id"
        }
        self.assertEqual(6, len(ids))

    def test_without_key(self) -> None:
        """Without a key the message has its date."""
        self.assertIn(b"Date: Sun, 17 Mar 2030 17:46:40 +0000\r\n", bytes(read().content))
