"""Tests for `smtpeter.web.forms`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.web import forms
from smtpeter.web.forms import read_fields
from smtpeter.web.problem import Problem

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
BOUNDARY = "=_boundary"
MULTIPART = f'multipart/form-data; boundary="{BOUNDARY}"'

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
NAMES = st.from_regex(r"[a-z]{1,8}(\[[a-z0-9@.]{0,4}\]){0,3}", fullmatch=True)
PAIRS = st.lists(st.tuples(NAMES, TEXTS), max_size=8).map(
    lambda pairs: [(name, value) for name, value in pairs if name not in forms.STRUCTURED]
)
JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=10,
)


def as_multipart(pairs: Sequence[tuple[str, str]]) -> bytes:
    parts = [
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in pairs
    ]
    return "".join([*parts, f"--{BOUNDARY}--\r\n"]).encode()


def form(*pairs: tuple[str, str]) -> dict[str, Any]:
    """The fields of both kinds of forms, which must agree."""
    fields = read_fields(FORM, urlencode(pairs).encode())
    assert fields == read_fields(MULTIPART, as_multipart(pairs))
    return fields


class Case(SynchronousTestCase):
    """What the cases below have in common."""

    def assert_problem(self, status: int, part: str, content_type: str | None, body: bytes) -> None:
        problem = self.assertRaises(Problem, read_fields, content_type, body)
        self.assertEqual(status, problem.status)
        self.assertIn(part, problem.text)


class ContentTypeTests(Case):
    """How a body is read."""

    def test_json(self) -> None:
        """Parameters and case of the type make no difference."""
        for content_type in (JSON, "application/json; charset=utf-8", "Application/JSON"):
            self.assertEqual({"a": "é"}, read_fields(content_type, '{"a": "é"}'.encode()))

    def test_forms(self) -> None:
        """Both kinds of forms are read."""
        self.assertEqual({"a": "1", "b": "é +"}, form(("a", "1"), ("b", "é +")))

    def test_looks_like_json(self) -> None:
        """What begins with a brace is JSON, whatever its type is said to be."""
        for content_type in (None, "", "text/plain", FORM):
            self.assertEqual({"a": 1}, read_fields(content_type, b' \r\n{"a": 1}'))

    def test_other_types(self) -> None:
        """Anything else is refused with the types that are not."""
        self.assert_problem(415, "not text/plain", "text/plain", b"a=1")
        self.assert_problem(415, "not missing", None, b"a=1")
        self.assert_problem(415, "application/json", "application/xml", b"<a/>")

    def test_empty(self) -> None:
        """An empty body has no fields; as JSON it is an error."""
        for content_type in (None, FORM, "text/plain"):
            self.assertEqual({}, read_fields(content_type, b""))
        self.assert_problem(400, "not valid JSON", JSON, b"")


class JSONTests(Case):
    """Bodies of JSON."""

    def test_names_in_lower_case(self) -> None:
        """Only the names on the top level are compared without case; the last one counts."""
        body = b'{"Recipient": 1, "DATA": {"First": 2}, "recipient": 3}'
        self.assertEqual({"recipient": 3, "data": {"First": 2}}, read_fields(JSON, body))

    def test_syntax(self) -> None:
        """An error says what is wrong, and where."""
        text = "The request body is not valid JSON: Expecting ',' delimiter at line 2, column 4"
        self.assert_problem(400, text, JSON, b'{"a":\n 1 2}')

    def test_hint(self) -> None:
        """Recipients with data in brackets get a hint how they are written."""
        hint = 'recipients with data are written as an object: {"ADDRESS": {...}}'
        body = b'{"recipients": ["kees@mailbox.example": {"first": "Kees"}]}'
        self.assert_problem(400, hint, JSON, body)
        problem = self.assertRaises(Problem, read_fields, JSON, b'{"recipients": ["a" "b"]}')
        self.assertNotIn("recipients with data", problem.text)

    def test_no_object(self) -> None:
        """Only an object has fields."""
        for body, kind in ((b"[]", "an array"), (b'"a"', "a string"), (b"null", "null")):
            self.assert_problem(400, f"must be a JSON object, not {kind}", JSON, body)

    def test_what_python_would_take(self) -> None:
        """NaN, endless numbers and half characters are no JSON that others could read."""
        for body in (b'{"a": NaN}', b'{"a": -Infinity}', b'{"a": %s}' % (b"9" * 9999)):
            self.assert_problem(400, "not valid JSON", JSON, body)
        self.assert_problem(400, "half of a surrogate pair", JSON, rb'{"a": ["x\ud83d"]}')
        self.assert_problem(400, "half of a surrogate pair", JSON, rb'{"\uDC00": 1}')
        self.assertEqual({"a": "😀"}, read_fields(JSON, rb'{"a": "\ud83d\ude00"}'))

    def test_encoding(self) -> None:
        """It is UTF-8; a byte order mark does no harm."""
        self.assert_problem(400, "octet 8 is not UTF-8", JSON, b'{"a": "\xe9"}')
        self.assertEqual({"a": 1}, read_fields(JSON, b'\xef\xbb\xbf{"a": 1}'))

    def test_depth(self) -> None:
        """Nesting without end is refused."""
        self.assert_problem(400, "nested too deep", JSON, b'{"a": ' + b"[" * 100_000)

    def test_count(self) -> None:
        """More lists and objects than any mail needs are refused before they take memory."""
        body = b'{"a": [' + b"[]," * forms.MAX_JSON_BRACKETS + b"[]]}"
        self.assert_problem(400, f"more than {forms.MAX_JSON_BRACKETS} brackets", JSON, body)

    @given(st.dictionaries(TEXTS.filter(lambda name: name == name.lower()), JSON_VALUES))
    def test_round_trip(self, document: dict[str, Any]) -> None:
        """Every object is read as it was written, escaped or not."""
        for ascii_only in (True, False):
            body = json.dumps(document, ensure_ascii=ascii_only).encode()
            self.assertEqual(document, read_fields(JSON, body))

    @given(st.binary(max_size=60) | st.text('{}[]":,\\ue1', max_size=30).map(str.encode))
    def test_any_octets(self, body: bytes) -> None:
        """Anything gives fields or a problem."""
        for content_type in (JSON, FORM, MULTIPART, None):
            try:
                read_fields(content_type, body)
            except Problem as problem:
                self.assertIn(problem.status, (400, 415))


class NestingTests(Case):
    """Forms that say what JSON says."""

    def test_lists(self) -> None:
        """Brackets, numbers in brackets, and a repeated name all make a list."""
        for names in (("to[]", "to[]"), ("to[0]", "to[1]"), ("to", "to"), ("to", "to[]")):
            self.assertEqual({"to": ["a", "b"]}, form((names[0], "a"), (names[1], "b")))
        self.assertEqual({"to": ["a"]}, form(("to[]", "a")))
        self.assertEqual({"to": ["a", "b"]}, form(("to[9]", "b"), ("to[2]", "a")))

    def test_objects(self) -> None:
        """A name in brackets makes an object, at every level."""
        fields = form(
            ("unsubscribe[url]", "u"),
            ("unsubscribe[oneclick]", "1"),
            ("attachments[0][name]", "a"),
            ("attachments[0][data]", "QQ=="),
            ("attachments[1][name]", "b"),
            ("recipients[kees@mailbox.example][first]", "Kees"),
        )
        expected = {
            "unsubscribe": {"url": "u", "oneclick": "1"},
            "attachments": [{"name": "a", "data": "QQ=="}, {"name": "b"}],
            "recipients": {"kees@mailbox.example": {"first": "Kees"}},
        }
        self.assertEqual(expected, fields)

    def test_json_in_a_field(self) -> None:
        """A field that is an object or array may be written as JSON."""
        fields = form(("data", '{"first": "Noor"}'), ("to", ' ["a", "b"]'), ("text", "{x}"))
        self.assertEqual({"data": {"first": "Noor"}, "to": ["a", "b"], "text": "{x}"}, fields)

    def test_wrong_json_in_a_field(self) -> None:
        """An error in it names the field."""
        self.assert_problem(400, "The field data is not valid JSON: ", FORM, b"data={x")

    def test_mixed(self) -> None:
        """An object that gets a value without a name keeps all of them."""
        self.assertEqual({"a": {"x": "1", "0": "2"}}, form(("a[x]", "1"), ("a", "2")))
        self.assertEqual({"a": {"0": "1", "x": "2"}}, form(("a", "1"), ("a[x]", "2")))

    def test_names(self) -> None:
        """The first name is compared without case, the others with it."""
        self.assertEqual({"a": {"B": "1"}}, form(("A[B]", "1")))

    def test_wrong_names(self) -> None:
        """Brackets must be whole, and not nest without end."""
        for name in ("", "a[", "a]", "[a]", "a[b]c", "a[[b]]"):
            self.assert_problem(400, "A field cannot be named", FORM, f"{name}=1".encode())
        deep = "a" + "[b]" * forms.MAX_DEPTH
        self.assert_problem(400, "nested deeper", FORM, f"{deep}=1".encode())

    def test_count(self) -> None:
        """The number of fields has a limit."""
        many = [(f"a{n}", "") for n in range(forms.MAX_PAIRS + 1)]
        self.assertEqual(forms.MAX_PAIRS, len(form(*many[1:])))
        self.assert_problem(400, "more than", FORM, urlencode(many).encode())
        self.assert_problem(400, "too large", MULTIPART, as_multipart(many))


class FormTests(Case):
    """What is particular to each kind of form."""

    def test_not_utf8(self) -> None:
        """Names and values are UTF-8."""
        self.assert_problem(400, "The field a is not UTF-8", FORM, b"a=%FF")
        self.assert_problem(400, "The name of a field is not UTF-8", FORM, b"%FF=1")
        body = as_multipart([("a", "?")]).replace(b"?", b"\xff")
        self.assert_problem(400, "The field a is not UTF-8", MULTIPART, body)

    def test_escapes_across_pieces(self) -> None:
        """A long value is decoded whole, wherever its escapes fall."""
        for shift in range(4):
            value = "x" * shift + "é%+ " * 20_000
            self.assertEqual({"a": value}, form(("a", value)))

    def test_broken_escapes(self) -> None:
        """What is no escape stays as it is."""
        self.assertEqual({"a": "100%", "b": "%zz"}, read_fields(FORM, b"a=100%&b=%zz&&"))

    def test_files(self) -> None:
        """The contents of a file are the value of its field."""
        body = as_multipart([("mime", "From: a\r\n\r\nHi")]).replace(
            b'name="mime"', b'name="mime"; filename="m.eml"\r\nContent-Type: message/rfc822'
        )
        self.assertEqual({"mime": "From: a\r\n\r\nHi"}, read_fields(MULTIPART, body))

    def test_broken_multipart(self) -> None:
        """Without a boundary, an end, or a name it is refused."""
        whole = as_multipart([("a", "1")])
        for content_type, body in (
            ("multipart/form-data", whole),
            (MULTIPART, whole[:-8]),
            (MULTIPART, b""),
            ("multipart/form-data; boundary=é", whole),
        ):
            self.assert_problem(400, "not valid multipart/form-data", content_type, body)
        nameless = whole.replace(b'name="a"', b"")
        self.assert_problem(400, "A field cannot be named ''", MULTIPART, nameless)

    @given(PAIRS)
    def test_same_fields(self, pairs: list[tuple[str, str]]) -> None:
        """Both kinds of forms give the same fields, and all values are kept."""
        pairs = [(name, value.replace("\r", "").replace("\n", "")) for name, value in pairs]
        written = json.dumps(form(*pairs), ensure_ascii=False)
        for _, value in pairs:
            self.assertIn(json.dumps(value, ensure_ascii=False)[1:-1], written)
