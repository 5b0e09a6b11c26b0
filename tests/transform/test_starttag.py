from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.starttag import (
    Attribute,
    attribute,
    attribute_value,
    attributes,
    tag_name,
    with_value,
    without,
    without_mark,
)
from smtpeter.transform.tokens import cut
from tests.transform.test_tokens import MARKUP

BLANKS = "\t\n\f\r "


def start_tags(text: str) -> list[str]:
    """The start tags of a document."""
    pieces, names = cut(text)
    return [tag for tag, name in zip(pieces[1::2], names, strict=True) if name[0] != "/"]


def values(tag: str) -> dict[str, str]:
    """The attributes of a tag."""
    return {each.name: each.value for each in attributes(tag)}


class AttributeTests(SynchronousTestCase):
    """What stands in a tag besides its name."""

    def test_quotes(self) -> None:
        """A value stands in double quotes, single quotes or none, and the spans say where."""
        text = "<a Href=\"x'&amp;y\" title = 'a\"b' ID=c>"
        expected = (
            Attribute("href", 3, 18, "x'&y", 9, 17, '"'),
            Attribute("title", 19, 32, 'a"b', 28, 31, "'"),
            Attribute("id", 33, 37, "c", 36, 37, ""),
        )
        self.assertEqual(expected, attributes(text))

    def test_no_value(self) -> None:
        """Without a value the value is empty, and stands where the attribute ends."""
        expected = (Attribute("a", 3, 4, "", 4, 4, ""), Attribute("b", 5, 8, "", 8, 8, ""))
        self.assertEqual(expected, attributes("<x a b =>"))
        self.assertEqual((Attribute("a", 3, 7, "", 6, 6, '"'),), attributes('<x a="">'))

    def test_separators(self) -> None:
        """Blanks, line ends, slashes and closing quotes all separate."""
        for text in (
            "<x a=1 b=2>",
            "<x\na=1\r\n\tb=2\f>",
            "<x/a='1'/b=2 />",
            '<x / a="1"b=2 / / >',
            "<x a\n=\n1 b\t= '2'/>",
        ):
            self.assertEqual({"a": "1", "b": "2"}, values(text), text)

    def test_unquoted(self) -> None:
        """A value without quotes ends at a blank or at the end of the tag, at no slash."""
        self.assertEqual({"href": "http://x/?a=1"}, values("<a href=http://x/?a=1>"))
        self.assertEqual({"href": "http://x/", "b": ""}, values("<a href=http://x/ b/>"))
        self.assertEqual({"href": "http://x/"}, values("<a href=http://x/>"))
        self.assertEqual({"a": "b'c\"d=<e`"}, values("<x a=b'c\"d=<e`>"))

    def test_odd_names(self) -> None:
        """An equals sign may begin a name, quotes may stand in one."""
        self.assertEqual({"=a": "b"}, values("<x =a=b>"))
        self.assertEqual({"a": "b", '"': "", "c\"'<": "d"}, values('<x a=b " c"\'<=d>'))
        self.assertEqual({"a": "", "=": "", "b": ""}, values("<x a / = b>"))

    def test_greater_than(self) -> None:
        """Within quotes a greater-than sign ends nothing."""
        self.assertEqual({"a": "1>2", "b": "</x>"}, values("<x a='1>2' b=\"</x>\">"))

    def test_duplicates(self) -> None:
        """Of several attributes with one name the first counts."""
        self.assertEqual({"a": "1", "b": ""}, values("<x a=1 A=2 b b=3>"))

    def test_get(self) -> None:
        """An attribute is found by its name in lower case."""
        tag = "<x CLASS=a>"
        self.assertEqual(attributes(tag)[0], attribute(tag, "class"))
        self.assertIsNone(attribute(tag, "style"))

    def test_template_tags(self) -> None:
        """Tags of template languages are part of the value they stand in."""
        for template in ("{{ x }}", "<%= x > y %>", "*|X|*", "[[x]]", "{$x}", "%%x%%"):
            self.assertEqual({"a": template}, values(f'<x a="{template}">'))

    def test_line_ends_and_nul(self) -> None:
        """Line ends are line feeds, NUL is the replacement character, offsets stay."""
        text = "<x a='b\r\nc\0'>"
        expected = Attribute("a", 3, 12, "b\nc\ufffd", 6, 11, "'")
        self.assertEqual((expected,), attributes(text))


class AttributeValueTests(SynchronousTestCase):
    """Values as they are written."""

    def test_quotes(self) -> None:
        """The quote around it is escaped, the other one is not, ampersands always are."""
        self.assertEqual("a&amp;b'&#34;", attribute_value("a&b'\"", '"'))
        self.assertEqual('a&amp;b&#39;"', attribute_value("a&b'\"", "'"))

    def test_own_quotes(self) -> None:
        """Without quotes it brings those that need less escaping."""
        self.assertEqual('"a"', attribute_value("a"))
        self.assertEqual("'a\"'", attribute_value('a"'))
        self.assertEqual('"a\'"', attribute_value("a'"))
        self.assertEqual('"a\'&#34;"', attribute_value("a'\""))

    @given(st.text().filter(lambda text: "\0" not in text), st.sampled_from(["'", '"', ""]))
    def test_read_again(self, value: str, quote: str) -> None:
        """What is written is read again."""
        written = quote + attribute_value(value, quote) + quote
        self.assertEqual({"a": value}, values(f"<x a={written}>"))


class Written(NamedTuple):
    """An attribute as it might stand in a tag, and what it says."""

    source: str
    name: str
    value: str


NAMES = st.text("abcDEF:-_@{\u00e9", min_size=1, max_size=6)
VALUES = st.text("ab&;=<>/{}%\u00e9 \n", max_size=12)
SOME_BLANKS = st.text(BLANKS, max_size=2)
SEPARATORS = st.text(BLANKS + "/", min_size=1, max_size=3).filter(lambda text: text[0] != "/")


@st.composite
def written_attributes(draw: st.DrawFn) -> Written:
    """An attribute in one of the ways to write it."""
    name = draw(NAMES)
    lower = "".join(each.lower() if each.isascii() else each for each in name)
    value = draw(VALUES)
    quote = draw(st.sampled_from(["'", '"', ""]))
    equals = draw(SOME_BLANKS) + "=" + draw(SOME_BLANKS)
    if quote:
        source = f"{name}{equals}{quote}{attribute_value(value, quote)}{quote}"
        return Written(source, lower, value)
    bare = "".join(each for each in value if each not in BLANKS + ">&")
    if bare:
        return Written(f"{name}{equals}{bare}", lower, bare)
    return Written(name, lower, "")


TEXTS = st.text("ab &;>\"'=/!-\n", max_size=8)
ASIDES = st.sampled_from(
    ["<!-- <b c=d> -->", "<!--[if mso]><p><![endif]-->", "<!x>", "<?php echo '<b' ?>", "< b", "</>"]
)


@st.composite
def documents(draw: st.DrawFn) -> tuple[str, list[tuple[str, list[Written]]]]:
    """A document, and the start tags in it."""
    pieces = [draw(TEXTS)]
    written = []
    for _ in range(draw(st.integers(0, 5))):
        name = draw(st.sampled_from(["p", "TD", "v:rect", "a", "x-y", "h1"]))
        attributes = draw(
            st.lists(written_attributes(), max_size=4, unique_by=lambda each: each.name)
        )
        inner = "".join(draw(SEPARATORS) + each.source for each in attributes)
        pieces += [f"<{name}{inner}{draw(st.sampled_from(['', ' ', ' /']))}>", draw(TEXTS)]
        pieces += [draw(ASIDES), draw(TEXTS)]
        written.append((name.lower(), attributes))
    return "".join(pieces), written


class AnyMarkupTests(SynchronousTestCase):
    """What holds whatever is written."""

    @given(documents())
    def test_written(self, document: tuple[str, list[tuple[str, list[Written]]]]) -> None:
        """What was written is found, with the names and values it was written with."""
        text, written = document
        found = [
            (tag_name(tag), [(each.name, each.value) for each in attributes(tag)])
            for tag in start_tags(text)
        ]
        expected = [
            (name, [(each.name, each.value) for each in attributes]) for name, attributes in written
        ]
        self.assertEqual(expected, found)

    @given(MARKUP | st.text())
    def test_bounds(self, text: str) -> None:
        """Attributes come in order and lie in their tags, values in those."""
        for tag in start_tags(text):
            position = 0
            for each in attributes(tag):
                offsets = [
                    position,
                    each.start,
                    each.value_start,
                    each.value_end,
                    each.end,
                    len(tag),
                ]
                self.assertEqual(sorted(offsets), offsets)
                self.assertEqual(2 * each.quote, tag[each.value_end : each.end] * 2)
                self.assertEqual(each, attribute(tag, each.name))
                position = each.end

    @given(MARKUP, st.data())
    def test_removal(self, text: str, data: st.DataObject) -> None:
        """An attribute that is removed is gone, and nothing else has changed."""
        found = [(tag, each) for tag in start_tags(text) for each in attributes(tag)]
        if not found:
            return
        tag, doomed = data.draw(st.sampled_from(found))
        after = without(tag, doomed)
        self.assertEqual(["", after, ""], cut(after).pieces)
        expected = [(each.name, each.value) for each in attributes(tag) if each != doomed]
        left = [(each.name, each.value) for each in attributes(after)]
        again = [each for each in left if each[0] == doomed.name]  # a second of that name
        self.assertEqual(expected, [each for each in left if each not in again])


class ChangeTests(SynchronousTestCase):
    """A tag with one attribute changed."""

    def test_removed(self) -> None:
        """The blanks before an attribute go with it."""
        for text, left in (
            ("<a x>", "<a>"),
            ("<a x href=b>", "<a href=b>"),
            ("<a href=b\n\tx = '1'>", "<a href=b>"),
            ('<a href="b"x c>', '<a href="b" c>'),
            ("<a x/>", "<a />"),
            ("<a href=b x/>", "<a href=b />"),
            ("<a b x='1'c>", "<a b /c>"),
            ("<a b x='1' =c>", "<a b / =c>"),
        ):
            found = attribute(text, "x")
            assert found
            self.assertEqual(left, without(text, found), text)

    def test_value(self) -> None:
        """A new value stands in the quotes of the old one, or in its own."""
        for text, changed in (
            ("<a x='1' b>", "<a x='&amp;&#39;' b>"),
            ("<a x=1 b>", '<a x="&amp;\'" b>'),
        ):
            found = attribute(text, "x")
            assert found
            self.assertEqual(changed, with_value(text, found, "&'"))

    def test_mark(self) -> None:
        """A mark goes, whatever its case; a tag without it is the same."""
        self.assertEqual(("<p class=x>", True), without_mark("<p MARK-x class=x>", "mark-x"))
        self.assertEqual(("<p a>", True), without_mark("<p mark-x a mark-x=1>", "mark-x"))
        for tag in ("<p>", "<p title=mark-x>"):
            self.assertEqual((tag, False), without_mark(tag, "mark-x"))
