from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.markup import (
    Attribute,
    Edit,
    Tag,
    attribute_value,
    removal,
    spliced,
    tags,
    text_content,
)

BLANKS = "\t\n\f\r "


def only(text: str) -> Tag:
    """The one tag of a text."""
    (tag,) = tags(text)
    return tag


def values(text: str) -> dict[str, str]:
    """The attributes of the one tag."""
    return {attribute.name: attribute.value for attribute in only(text).attributes}


def names(text: str) -> list[str]:
    """The names of all tags, end tags with a slash in front."""
    return ["/" * tag.closing + tag.name for tag in tags(text)]


def count_steps(text: str) -> int:
    """How many tags and attributes are found in a text: what a run over it amounts to."""
    return sum(1 + len(tag.attributes) for tag in tags(text))


class TagTests(SynchronousTestCase):
    """Start tags and end tags."""

    def test_span(self) -> None:
        """A tag knows from where to where it goes."""
        text = "a <b>c</b\n> d"
        self.assertEqual(["<b>", "</b\n>"], [text[tag.start : tag.end] for tag in tags(text)])
        self.assertEqual([False, True], [tag.closing for tag in tags(text)])

    def test_names(self) -> None:
        """Names are in lower case; whatever is no blank, slash or end belongs to them."""
        text = '<TaBle><o:P><v:rect/><my-x><h1><a"b><a=b><x\u212a>'
        found = ["table", "o:p", "v:rect", "my-x", "h1", 'a"b', "a=b", "x\u212a"]
        self.assertEqual(found, names(text))

    def test_no_tags(self) -> None:
        """A less-than sign without a letter behind it is text, and so are empty end tags."""
        self.assertEqual(["b"], names("1 < 2 <3 << <> </> </ b> <b>"))

    def test_cut_off(self) -> None:
        """A tag that the end of the text cuts off is none."""
        for text in (
            "<b",
            "<b ",
            "<b a",
            "<b a=",
            "<b a='",
            '<b a="x>y<c>',
            "<b a=x",
            "</b",
            "<b/",
        ):
            self.assertEqual(["i"], names("<i>" + text), text)

    def test_only(self) -> None:
        """Who asks for some names gets no others, and what stands in scripts stays hidden."""
        text = "<p><A href=x><script><a></script></a><td title='<a>'>"
        found = [text[tag.start : tag.end] for tag in tags(text, {"a"})]
        self.assertEqual(["<A href=x>", "</a>"], found)


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
        self.assertEqual(expected, only(text).attributes)

    def test_no_value(self) -> None:
        """Without a value the value is empty, and stands where the attribute ends."""
        expected = (Attribute("a", 3, 4, "", 4, 4, ""), Attribute("b", 5, 8, "", 8, 8, ""))
        self.assertEqual(expected, only("<x a b =>").attributes)
        self.assertEqual((Attribute("a", 3, 7, "", 6, 6, '"'),), only('<x a="">').attributes)

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
        tag = only("<x CLASS=a>")
        self.assertEqual(tag.attributes[0], tag.get("class"))
        self.assertIsNone(tag.get("style"))

    def test_template_tags(self) -> None:
        """Tags of template languages are part of the value they stand in."""
        for template in ("{{ x }}", "<%= x > y %>", "*|X|*", "[[x]]", "{$x}", "%%x%%"):
            self.assertEqual({"a": template}, values(f'<x a="{template}">'))

    def test_line_ends_and_nul(self) -> None:
        """Line ends are line feeds, NUL is the replacement character, offsets stay."""
        text = "<x a='b\r\nc\0'>"
        expected = Attribute("a", 3, 12, "b\nc\ufffd", 6, 11, "'")
        self.assertEqual((expected,), only(text).attributes)


class HiddenTests(SynchronousTestCase):
    """Where no tags are."""

    def test_comments(self) -> None:
        """A comment ends where a browser ends it."""
        for comment in (
            "<!-- <i> -->",
            "<!--><!---><!---->",
            "<!-- a --!>",
            "<!-- a -- > <i> -->",
            "<!-- <!-- <i> -->",
            "<!--->",
            "<!----!>",
            "<!---!> <i> -->",
            "<!-- -- ->- --->",
        ):
            self.assertEqual(["b", "u"], names(f"<b>{comment}<u>"), comment)

    def test_bogus_comments(self) -> None:
        """What begins like a declaration ends at the first greater-than sign."""
        for comment in (
            "<!doctype html>",
            '<!DOCTYPE html PUBLIC "-//W3C//DTD <i>',
            "<!foo <i>",
            "<?xml version='1.0'?>",
            "</3 <i>",
            "<!>",
            "<!-x>",
            "<![CDATA[<i>",
        ):
            self.assertEqual(["b", "u"], names(f"<b>{comment}<u>"), comment)

    def test_conditional_comments(self) -> None:
        """What only Outlook sees is a comment; what others see as well is not."""
        hidden = "<!--[if gte mso 9]><table><a href='https://x.example'><![endif]-->"
        revealed = "<![if !mso]><i><![endif]>"
        both = "<!--[if !mso]><!--><s><!--<![endif]-->"
        self.assertEqual(["i", "s", "u"], names(f"{hidden}{revealed}{both}<u>"))

    def test_open_at_the_end(self) -> None:
        """What is never closed goes on to the end."""
        for text in ("<!-- <i>", "<!doctype <i", "<style><i>", "<script><i>", "<title><i></b>"):
            self.assertNotIn("i", names(text), text)

    def test_raw_text(self) -> None:
        """Style sheets, titles and the like hold no tags but their own end."""
        for name in ("style", "xmp", "iframe", "noembed", "noframes", "title", "textarea"):
            text = f"<{name.upper()} a><i><!-- </{name}x></{name} ><b>"
            self.assertEqual([name, f"/{name}", "b"], names(text))
        self.assertEqual(["style"], names("<style></\u017ftyle><i>"))

    def test_raw_text_closes_itself_not(self) -> None:
        """A slash at its end closes no such element outside of SVG."""
        self.assertEqual(["style", "/style"], names("<style/><i></style>"))
        self.assertEqual(["svg", "style", "i"], names("<svg><style/><i>"))
        self.assertEqual(["svg", "/svg", "title"], names("<svg></svg><title/><i>"))
        self.assertEqual(["svg", "title"], names("<svg/><title/><i>"))

    def test_cdata(self) -> None:
        """In SVG and MathML there are CDATA sections."""
        self.assertEqual(["math", "/math"], names("<math><![CDATA[ <i> > ]]></math>"))
        self.assertEqual(["svg"], names("<svg><![CDATA[ <i>"))
        self.assertEqual(["svg", "b"], names("<svg><![CDATA[]]><b>"))

    def test_script(self) -> None:
        """A script ends at its end tag, unless that belongs to one in a comment of it."""
        for script in (
            "if (a<b) '<i>'",
            "<!-- <i> ",
            "<!-- <script> </script> ",
            "<!-- <script> --> ",
            "<!--> <script> ",
            "<!---> <script> ",
            "<script> ",
            "<!-- <scripts> ",
            "<!-- </scripts> <script/> </script ",
        ):
            text = f"<script>{script}</script><b>"
            self.assertEqual(["script", "/script", "b"], names(text), script)
        self.assertEqual(["script"], names("<script><!-- <script> </script> <i>"))

    def test_plaintext(self) -> None:
        """Behind plaintext there is nothing but text."""
        self.assertEqual(["b", "plaintext"], names("<b><plaintext></plaintext><i>"))

    def test_end_tags_hide_nothing(self) -> None:
        """An end tag without its start tag is one, and what follows is markup."""
        self.assertEqual(["/style", "/script", "/svg", "b"], names("</style></script></svg><b>"))


class HostileTests(SynchronousTestCase):
    """Texts made to be slow to read."""

    def test_each_character_once(self) -> None:
        """Long texts that never close what they open are read to their end."""
        size = 200_000
        pieces = ("<a ", "<a b='", '<a b="<a b="', "a ", "='", "<!--", "<", "</", "<!", " ", "/")
        for piece in (*pieces, "<script><!--", "<style>", "<![CDATA[", "<svg/><![CDATA["):
            for text in (piece * size, "<a " + piece * size, "<svg>" + piece * size):
                self.assertLessEqual(count_steps(text), size + 2, piece)

    def test_many_attributes(self) -> None:
        """A tag may have any number of attributes."""
        tag = only("<a " + "".join(f"x{number} " for number in range(50_000)) + ">")
        self.assertEqual(50_000, len(tag.attributes))


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


PIECES = (
    *"<>/!-='\" \n\0aB&;?\u00e9\u212a",
    *("--", "<a ", "</a>", "<!--", "-->", "<![CDATA[", "]]>", "<style>", "</style", "<script>"),
    *("</script>", "<svg>", "<title/>", "href=", "&amp", "{{x}}", "<%"),
)
MARKUP = st.lists(st.sampled_from(PIECES), max_size=40).map("".join)


class AnyMarkupTests(SynchronousTestCase):
    """What holds whatever is written."""

    @given(documents())
    def test_written(self, document: tuple[str, list[tuple[str, list[Written]]]]) -> None:
        """What was written is found, with the names and values it was written with."""
        text, written = document
        found = [
            (tag.name, [(each.name, each.value) for each in tag.attributes]) for tag in tags(text)
        ]
        expected = [
            (name, [(each.name, each.value) for each in attributes]) for name, attributes in written
        ]
        self.assertEqual(expected, found)

    @given(MARKUP | st.text())
    def test_bounds(self, text: str) -> None:
        """Tags come in order and lie in the text, attributes in their tags, values in those."""
        position = 0
        for tag in tags(text):
            self.assertLessEqual(position, tag.start)
            self.assertEqual(("<", ">"), (text[tag.start], text[tag.end - 1]))
            position = tag.start
            for each in tag.attributes:
                offsets = [
                    position,
                    each.start,
                    each.value_start,
                    each.value_end,
                    each.end,
                    tag.end,
                ]
                self.assertEqual(sorted(offsets), offsets)
                self.assertEqual(2 * each.quote, text[each.value_end : each.end] * 2)
                position = each.end
            position = tag.end

    @given(MARKUP, st.data())
    def test_removal(self, text: str, data: st.DataObject) -> None:
        """An attribute that is removed is gone, and nothing else has changed."""
        found = [(tag, each) for tag in tags(text) for each in tag.attributes]
        if not found:
            return
        tag, doomed = data.draw(st.sampled_from(found))
        after = spliced(text, [removal(text, doomed)])
        index = list(tags(text)).index(tag)
        expected = [(each.name, each.value) for each in tag.attributes if each != doomed]
        changed = list(tags(after))
        self.assertEqual(len(list(tags(text))), len(changed))
        left = [(each.name, each.value) for each in changed[index].attributes]
        again = [each for each in left if each[0] == doomed.name]  # a second of that name
        self.assertEqual(expected, [each for each in left if each not in again])

    @given(MARKUP | st.text())
    def test_text_content(self, text: str) -> None:
        """Any text has a content, and none that is longer than itself."""
        self.assertLessEqual(len(text_content(text)), len(text))


class RemovalTests(SynchronousTestCase):
    """An attribute that is taken out."""

    def removed(self, text: str) -> str:
        """The text without the attribute `x` of its first tag."""
        attribute = next(tags(text)).get("x")
        assert attribute
        return spliced(text, [removal(text, attribute)])

    def test_with_its_blanks(self) -> None:
        """The blanks before it go with it."""
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
            self.assertEqual(left, self.removed(text), text)


class TextContentTests(SynchronousTestCase):
    """What readers see."""

    def test_tags_and_references(self) -> None:
        """Tags and comments are nothing, references are characters."""
        text = "<b>www.<!-- x --><i title='>'>shop</i></b>.example/?a&amp;b&#x2f;<![if x]>"
        self.assertEqual("www.shop.example/?a&b/", text_content(text))
