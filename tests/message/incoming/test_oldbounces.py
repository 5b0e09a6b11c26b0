"""Errors in formats of somebody's own."""

from __future__ import annotations

from unittest import mock

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming import oldbounces
from smtpeter.message.incoming.evidence import Evidence, evidence_in
from smtpeter.message.incoming.findings import RecipientReport, ReportedAction
from smtpeter.message.incoming.oldbounces import private_error
from smtpeter.message.incoming.phrases import patterns, table
from smtpeter.message.incoming.recipients import ADDRESSES, RECIPIENTS, recipients_of
from tests.message.incoming.letters import letter

FAILED, DELAYED = ReportedAction.FAILED, ReportedAction.DELAYED


def addresses(text: str, *fields: str) -> list[str]:
    return [each.address for each in recipients_of(letter(text, *fields))]


def only(text: str, *fields: str) -> RecipientReport:
    (each,) = private_error(letter(text, *fields)).recipients
    return each


class RecipientTests(SynchronousTestCase):
    """Whom a text is about."""

    def test_lines(self) -> None:
        """Lines of their own, in the forms that servers give them."""
        for line in (
            "<kees@mailbox.example>:", "<kees@mailbox.example>: 550 no", "  kees@mailbox.example",
            "kees@mailbox.example:", "* kees@mailbox.example", '"kees@mailbox.example"',
            "<kees@mailbox.example> (expanded from <a@b>): no", "--> kees@mailbox.example",
            "kees@mailbox.example - no such user here", "kees@mailbox.example... User unknown",
            "kees@mailbox.example (mailbox full)", "Kees <kees@mailbox.example>",
            "kees@mailbox.example on Fri, 4 Oct 2002 17:12:28 -0400",
            "kees@mailbox.example on 11/14/2023 11:13 PM", ">>> kees@mailbox.example <no user>",
            "* [kees@mailbox.example]: 550 no", "kees@mailbox.example User unknown",
        ):  # fmt: skip
            self.assertEqual(["kees@mailbox.example"], addresses(f"Sorry:\n\n{line}\n"), line)

    def test_sentences(self) -> None:
        for text in (
            "Your message to <kees@mailbox.example> could not be delivered.",
            "The following message, addressed to 'kees@mailbox.example',\nfailed.",
            "Unknown user: kees@mailbox.example",
            "Failed Recipient: kees@mailbox.example",
            "Local mailbox kees@mailbox.example is unavailable",
            "Ihre Nachricht an kees@mailbox.example konnte nicht zugestellt werden.",
            "Votre message n'a pas pu \u00eatre remis \u00e0 kees@mailbox.example",
            "El mensaje no pudo ser entregado a kees@mailbox.example",
            "Het bericht kon niet worden bezorgd bij\nkees@mailbox.example.",
            "\u043f\u043e \u0430\u0434\u0440\u0435\u0441\u0443 kees@mailbox.example",
            "SMTP=kees@mailbox.example;",
        ):
            self.assertEqual(["kees@mailbox.example"], addresses(text), text)

    def test_field(self) -> None:
        """A field that names them counts more than all that is said."""
        field = "X-Failed-Recipients: anna@x.example, bert@x.example"
        self.assertEqual(["anna@x.example", "bert@x.example"], addresses("<cees@x>: no", field))

    def test_dialogue(self) -> None:
        """For want of something better, what was said to the next server."""
        self.assertEqual(["kees@x.example"], addresses(">>> RCPT To:<kees@x.example>\n<<< 550 no"))
        self.assertEqual(["kees@x.example"], addresses("550 5.1.1 <kees@x.example> no"))
        self.assertEqual(
            ["kees@x.example"], addresses("Sorry.", "Subject: Undeliverable: kees@x.example")
        )

    def test_not_recipients(self) -> None:
        """Whom to ask, whose message it was, and the address that this came to."""
        for text in (
            "please contact\n<postmaster@mailbox.example>", "Original Sender: <noor@shop.example>",
            "From: Noor <noor@shop.example>", "b@shop.example", "mailer@mailbox.example",
            "Message-ID: <1@shop.example>", "write to kees@mailbox.example for help", "",
        ):  # fmt: skip
            found = addresses(text, "From: mailer@mailbox.example", "To: b@shop.example")
            self.assertEqual([], found, text)

    def test_aliases(self) -> None:
        """Another address of the same recipient belongs to it."""
        text = "anna@x.example\n  (generated from kees@mailbox.example)\n"
        (each,) = recipients_of(letter(text))
        self.assertEqual(("anna@x.example", "kees@mailbox.example"), (each.address, each.original))

    def test_many(self) -> None:
        """No more than there is room for, and no more addresses are looked at."""
        lines = "".join(f"<{number}@x.example>:\n550 no\n" for number in range(300))
        self.assertEqual(RECIPIENTS, len(addresses(lines)))
        sentence = "write to kees@mailbox.example,\n" * ADDRESSES
        self.assertEqual([], addresses(f"{sentence}\n\nunknown user: anna@x.example"))


class ReasonTests(SynchronousTestCase):
    """Why they were not reached."""

    def test_each_its_own(self) -> None:
        """What stands below a recipient is about that one."""
        found = private_error(
            letter("<a@x.example>:\n550 5.1.1 unknown\n\n<b@x.example>:\nmailbox full (452)\n")
        )
        self.assertEqual(
            [("a@x.example", 550, "5.1.1"), ("b@x.example", 452, "4.2.2")],
            [(each.recipient, each.code, each.status) for each in found.recipients],
        )

    def test_common(self) -> None:
        """What stands elsewhere is about all, when nothing stands below them."""
        found = private_error(
            letter("a@x.example\nb@x.example\n\nTranscript:\n<<< 552 5.2.2 full\n")
        )
        self.assertEqual(
            [(552, "5.2.2")] * 2, [(each.code, each.status) for each in found.recipients]
        )
        self.assertEqual("<<< 552 5.2.2 full", found.recipients[0].diagnostic)

    def test_common_is_read_once(self) -> None:
        """However many recipients there are of whom nothing else is said."""
        text = "".join(f"<{number}@x.example>:\n" for number in range(RECIPIENTS))
        with mock.patch.object(oldbounces, "_telling", wraps=oldbounces._telling) as telling:
            found = private_error(letter(f"{text}\nIt could not be delivered\n"))
        self.assertEqual(
            ["It could not be delivered"] * RECIPIENTS,
            [each.diagnostic for each in found.recipients],
        )
        telling.assert_called_once()

    def test_far_below(self) -> None:
        """Of what stands below a recipient a beginning is about that one."""
        for count, code in ((5, 452), (60, 550)):
            text = "kees@mailbox.example\n" + "so\n" * count + "452 full\n"
            self.assertEqual(code, only(text, "Subject: error 550 no").code, count)

    def test_class(self) -> None:
        """That of the code, else of what happened; words have one of their own for some things."""
        for text, status in (
            ("<a@x.example>:\n450 mailbox full", "4.2.2"),
            ("<a@x.example>:\nmailbox full", "5.2.2"),
            ("<a@x.example>:\nmailbox full\n\nwill be retried", "4.2.2"),
            ("<a@x.example>:\nconnection timed out", "4.4.1"),
            ("<a@x.example>:\nwhy not", "5.0.0"),
        ):
            self.assertEqual(status, only(text).status, text)

    def test_action(self) -> None:
        """Late is not failed, unless the server has given up."""
        self.assertIs(DELAYED, only("<a@x.example>:\nno answer, will be retried").action)
        self.assertIs(FAILED, only("<a@x.example>:\nwas to be retried; i've given up").action)
        self.assertFalse(only("<a@x.example>:\nno answer, will be retried").permanent)

    def test_nobody(self) -> None:
        """A failure of which only the reason is known; and one of which nothing is."""
        each = only("Your message could not be delivered: mailbox full.")
        self.assertEqual(("", "5.2.2"), (each.recipient, each.status))
        self.assertEqual((), private_error(letter("Hello")).recipients)

    def test_format(self) -> None:
        """Whose format it is, by words or by a field."""
        self.assertEqual(
            "qmail", private_error(letter("This is the qmail-send program\nat x")).format
        )
        self.assertEqual("imail", private_error(letter("", "X-Mailer: <SMTP32 v8.05>")).format)
        self.assertEqual("", private_error(letter("Hello")).format)


class EvidenceTests(SynchronousTestCase):
    """What speaks for a failure."""

    def test_each(self) -> None:
        nothing = Evidence(named=False, daemon=False, subject=False, words=False, coded=False)
        self.assertEqual(nothing, evidence_in(letter("Hello", "From: Kees <k@x.example>")))
        self.assertTrue(evidence_in(letter("", "X-Failed-Recipients: a@b")).named)
        self.assertTrue(evidence_in(letter("It could not\nbe delivered.")).words)
        self.assertTrue(evidence_in(letter("550 5.1.1 no")).coded)
        for author in ("MAILER-DAEMON@x", "<>, Mail Delivery System <x@y>", "postmaster@x (Post)"):
            self.assertTrue(evidence_in(letter("", f"From: {author}")).daemon, author)
        for author in ("Sandra Hendriks <s@x.example>", "Bouncer Ltd <b@x.example>"):
            self.assertFalse(evidence_in(letter("", f"From: {author}")).daemon, author)

    def test_quoted(self) -> None:
        """What is quoted from another message speaks for nothing."""
        found = evidence_in(letter("> 550 5.1.1 could not be delivered\n"))
        self.assertFalse(found.words or found.coded)

    def test_subjects(self) -> None:
        for subject in (
            "Undelivered Mail Returned to Sender", "failure notice", "Returned mail: User unknown",
            "Delivery Status Notification (Failure)", "Mail delivery failed: returning message",
            "Unzustellbar: x", "Message non remis", "Correo devuelto", "Onbestelbaar: x",
            "Mancata consegna", "[EXTERNAL] Undeliverable: x", "Warning: message 1 delayed",
        ):  # fmt: skip
            self.assertTrue(evidence_in(letter("", f"Subject: {subject}")).subject, subject)
        for subject in (
            "Re: Undeliverable",
            "Your order was delivered",
            "Mailing list",
            "",
            "Hello",
        ):
            self.assertFalse(evidence_in(letter("", f"Subject: {subject}")).subject, subject)


class DataTests(SynchronousTestCase):
    """The files of phrases and patterns."""

    def test_phrases(self) -> None:
        """They are written as they are looked for, and none is empty or there twice."""
        data = table("evidence.toml")
        lists = [data[name] for name in ("daemons", "failures", "delays", "finals")]
        lists += [each["phrases"] for each in table("formats.toml")["format"]]
        lists += [each["phrases"] for each in table("reasons.toml")["reason"]]
        lists += list(table("automatic.toml")["texts"].values())
        for phrases in lists:
            self.assertEqual(sorted(set(phrases)), sorted(phrases))
            for phrase in phrases:
                self.assertEqual(" ".join(phrase.lower().split()), phrase.strip())
                self.assertGreater(len(phrase), 1, phrase)

    def test_patterns(self) -> None:
        """None of those for lines and subjects matches where nothing stands."""
        written = [*table("evidence.toml")["subjects"], *table("copies.toml")["copies"]]
        written += table("recipients.toml")["lines"]
        for pattern in patterns(written):
            self.assertIsNone(pattern.match(""), pattern.pattern)

    def test_formats(self) -> None:
        """Each has a name of its own."""
        names = [each["name"] for each in table("formats.toml")["format"]]
        self.assertEqual(sorted(set(names)), sorted(names))
