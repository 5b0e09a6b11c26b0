"""Automatic responses, by what they say of themselves."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming.automatic import certain_response, likely_response
from smtpeter.message.incoming.findings import AutomaticKind
from tests.message.incoming.letters import letter, multipart, read_octets


class CertainTests(SynchronousTestCase):
    """What is one beyond doubt."""

    def test_fields(self) -> None:
        """Fields that only such programs write."""
        for field in (
            "Auto-Submitted: auto-replied", "Auto-Submitted: Auto-Replied (vacation)",
            "X-Autoreply: yes", "X-Autorespond: x", "Precedence: auto_reply",
            "X-Precedence: auto_reply", "Auto-Submitted: auto-notified",
        ):  # fmt: skip
            found = certain_response(letter("Hello", field))
            assert found is not None, field
            self.assertEqual(AutomaticKind.REPLY, found.kind)
            self.assertEqual(field.partition(":")[0].lower(), found.evidence)

    def test_other_fields(self) -> None:
        """Values that deny it, and fields that others write as well."""
        for field in ("Auto-Submitted: no", "X-Autoreply: no", "Precedence: bulk", "X-Loop: a@b"):
            self.assertIsNone(certain_response(letter("Hello", field)), field)

    def test_subjects(self) -> None:
        """In the languages of the world, behind what marks an answer."""
        for subject in (
            "Automatic reply: order", "Auto-Reply: order", "Out of Office: order",
            "Re: Automatic reply",
            "Abwesenheitsnotiz: Bestellung", "AW: Automatische Antwort: x", "Afwezig: x",
            "Automatisch antwoord: x", "R\u00e9ponse automatique : x", "Absence du bureau",
            "Respuesta autom\u00e1tica: x", "Fuera de la oficina: x", "Resposta autom\u00e1tica: x",
            "Risposta automatica: x", "Fuori ufficio: x", "Autosvar: x", "Automatiskt svar: x",
            "Frav\u00e6r: x", "Automaattinen vastaus: x", "Autoodpowied\u017a: x",
            "Automatick\u00e1 odpov\u011b\u010f: x", "Automatikus v\u00e1lasz: x",
            "Otomatik yan\u0131t: x", "\u0410\u0432\u0442\u043e\u043e\u0442\u0432\u0435\u0442: x",
            "\u81ea\u52d5\u8fd4\u4fe1: x", "\u81ea\u52a8\u56de\u590d: x",
        ):  # fmt: skip
            found = certain_response(letter("Hello", f"Subject: {subject}"))
            assert found is not None, subject
            self.assertEqual((AutomaticKind.REPLY, "subject"), (found.kind, found.evidence))

    def test_other_subjects(self) -> None:
        for subject in (
            "Your order", "Re: Your order", "The office is open", "Automation of replies", "",
            "Undelivered Mail Returned to Sender", "Delivery Status Notification (Failure)",
        ):  # fmt: skip
            self.assertIsNone(certain_response(letter("Hello", f"Subject: {subject}")), subject)

    def test_challenges(self) -> None:
        """A challenge stays one where it says that it is an automatic reply."""
        for text, subject in (
            ("To control spam, I now allow mail of friends.", "Re: order"),
            ("Hello", "Please confirm your message"),
            ("Please click the link below to confirm.", "Automatic reply"),
        ):
            found = certain_response(
                letter(text, f"Subject: {subject}", "Auto-Submitted: auto-replied")
            )
            assert found is not None
            self.assertEqual(AutomaticKind.CHALLENGE, found.kind, text)

    def test_receipts(self) -> None:
        """A part for it makes it a receipt."""
        octets = multipart("report", ("Content-Type: message/disposition-notification\n", b"a: b"))
        found = certain_response(read_octets(octets))
        assert found is not None
        self.assertEqual(AutomaticKind.RECEIPT, found.kind)


class LikelyTests(SynchronousTestCase):
    """What may be one."""

    def test_texts(self) -> None:
        for text in ("I am out of the office until Monday.", "Ich bin bis Montag weg."):
            found = likely_response(letter(text))
            assert found is not None
            self.assertEqual((AutomaticKind.REPLY, "text"), (found.kind, found.evidence))

    def test_fields(self) -> None:
        for field in ("Auto-Submitted: auto-generated", "Precedence: junk", "Precedence: bulk"):
            self.assertIsNotNone(likely_response(letter("Hello", field)), field)

    def test_nothing(self) -> None:
        self.assertIsNone(likely_response(letter("Hello", "Subject: Hello", "Precedence: normal")))
