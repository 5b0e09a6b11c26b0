from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.markup import Edit, read, spliced, text_content
from tests.transform.test_tokens import MARKUP


class DocumentTests(SynchronousTestCase):
    """Documents in pieces."""

    @given(MARKUP | st.text())
    def test_whole(self, text: str) -> None:
        """Without changes it is what was read."""
        document = read(text)
        self.assertEqual(text, str(document))
        self.assertIs(document, document.changed({}))

    def test_changed(self) -> None:
        """What changes stands where it stood; what was taken out has no name."""
        document = read("a<b>c</b>d")
        changed = document.changed({0: "A", 1: "", 3: "</B>"})
        self.assertEqual(("Ac</B>d", ["", "/b"]), (str(changed), list(changed.names)))
        self.assertEqual("a<b>c</b>d", str(document))

    def test_tags(self) -> None:
        """Who asks for some tags gets no others, and what stands in scripts stays hidden."""
        document = read("<p><A href=x><script><a></script></a><td title='<a>'>")
        found = [(document.tag(number), name) for number, name in document.tags({"a", "/a"})]
        self.assertEqual([("<A href=x>", "a"), ("</a>", "/a")], found)


class SplicedTests(SynchronousTestCase):
    """Changes where they belong."""

    def test_edits(self) -> None:
        """Edits are applied at their places, in whatever order they come."""
        edits = [Edit(4, 5, "E"), Edit(0, 1, ""), Edit(2, 2, "x"), Edit(2, 2, "y")]
        self.assertEqual("bxycdE", spliced("abcde", edits))

    def test_none(self) -> None:
        """Without edits the text is the same object."""
        text = "<b>" * 3
        self.assertIs(text, spliced(text, []))

    def test_refused(self) -> None:
        """Edits that overlap, run backwards or lie outside are refused."""
        for edits in (
            [Edit(0, 2, ""), Edit(1, 3, "")],
            [Edit(2, 1, "")],
            [Edit(4, 6, "")],
            [Edit(-1, 1, "")],
        ):
            self.assertRaises(ValueError, spliced, "abcde", edits)

    @given(st.text(), st.data())
    def test_outside_of_edits(self, text: str, data: st.DataObject) -> None:
        """All that is not edited stays, character for character."""
        places = st.integers(0, len(text))
        cuts = sorted(data.draw(st.lists(places, max_size=8)))
        pairs = list(zip(cuts[::2], cuts[1::2], strict=False))
        news = [data.draw(st.text(max_size=3)) for _ in pairs]
        kept = [text[a:b] for a, b in zip([0, *cuts[1::2]], [*cuts[::2], len(text)], strict=False)]
        if len(cuts) % 2:
            kept[-1] = text[pairs[-1][1] if pairs else 0 :]
        expected = "".join(a + b for a, b in zip(kept, [*news, ""], strict=False))
        edits = [Edit(*pair, new) for pair, new in zip(pairs, news, strict=True)]
        self.assertEqual(expected, spliced(text, edits))


class TextContentTests(SynchronousTestCase):
    """What readers see."""

    def test_tags_and_references(self) -> None:
        """Tags and comments are nothing, references are characters."""
        text = "<b>www.<!-- x --><i title='>'>shop</i></b>.example/?a&amp;b&#x2f;<![if x]>"
        self.assertEqual("www.shop.example/?a&b/", text_content(text))

    @given(MARKUP | st.text())
    def test_any(self, text: str) -> None:
        """Any text has a content, and none that is longer than itself."""
        self.assertLessEqual(len(text_content(text)), len(text))
