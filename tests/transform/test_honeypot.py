from __future__ import annotations

from hypothesis import given
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.transform.honeypot import honeypot_url, with_honeypot
from smtpeter.transform.identifier import Identifiers
from smtpeter.transform.markup import read
from smtpeter.transform.rework import rework
from smtpeter.transform.starttag import attribute, attributes
from smtpeter.transform.template import filled
from smtpeter.transform.textstages import AddHoneypot, TrackLinks
from smtpeter.transform.trackedurl import resolve
from tests.transform.test_tokens import MARKUP

BASE = "https://clicks.shop.example"
IDENTIFIERS = Identifiers(b"k" * 32)


class HoneypotTests(SynchronousTestCase):
    """The link that is not seen."""

    def test_resolved(self) -> None:
        """Its address proves itself, and leads nowhere."""
        identifier = IDENTIFIERS.make("m" * 16, "honeypot", 0, 0)
        asked_for = honeypot_url(BASE, identifier).removeprefix(BASE)
        resolved = resolve(asked_for.encode(), IDENTIFIERS.read)
        assert resolved is not None
        self.assertEqual(IDENTIFIERS.read(identifier), resolved.identified)

    def test_unseen(self) -> None:
        """Nothing of it is shown, read out or reached with the keyboard."""
        tag, end = read(str(with_honeypot(read(""), "https://x.example/?a&b"))).pieces[1::2]
        self.assertEqual("</a>", end)
        values = {each.name: each.value for each in attributes(tag)}
        self.assertEqual("https://x.example/?a&b", values["href"])
        self.assertEqual(("true", "-1"), (values["aria-hidden"], values["tabindex"]))
        self.assertTrue(values["style"].startswith("display:none;"))

    @given(MARKUP)
    def test_any(self, html: str) -> None:
        """Whatever the text, programs find the link, and all the rest is as before."""
        url = f"{BASE}/found"
        before = read(html)
        after = read(str(with_honeypot(before, url)))
        found = [
            number
            for number, _ in after.tags({"a"})
            if (href := attribute(after.tag(number), "href")) and href.value == url
        ]
        self.assertEqual(1, len(found))
        [number] = found
        without = after.changed({2 * number + 1: "", 2 * number + 3: ""})
        self.assertEqual(html, str(without))

    def test_stage(self) -> None:
        """One is put into the first HTML of a message, beside links that are tracked."""
        message = (
            b"Content-Type: text/html\r\n\r\n"
            b'<body><a href="https://shop.example/boots">boots</a></body>'
        )
        result = rework([message], [TrackLinks(BASE), AddHoneypot(BASE)])
        self.assertEqual(["click", "honeypot"], [slot.kind for slot in result.slots])
        assert result.template is not None
        sent = bytes(filled(Content.from_blocks([message]), result.template, ["one", "two"]))
        self.assertIn(b'href="https://clicks.shop.example/boots-one">boots</a><a href=', sent)
        self.assertIn(b'<a href="https://clicks.shop.example/two" style="display:none;', sent)
        self.assertTrue(sent.endswith(b"></a></body>"))
