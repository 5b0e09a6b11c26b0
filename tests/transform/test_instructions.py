from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.instructions import remove_instructions
from tests.transform.drafts import draft

PREFIXES = ("x-smtpeter-", "x-acme-")
BODY = b"\r\nX-SMTPeter-Tags: in the body\r\n"


def removed(header: bytes, body: bytes = BODY) -> bytes:
    """What is left of a message."""
    return bytes(remove_instructions(draft(header + body), PREFIXES).content)


def mixed_case(text: str) -> st.SearchStrategy[str]:
    """A text with each letter in either case."""
    pairs = [st.sampled_from([each.lower(), each.upper()]) for each in text]
    return st.tuples(*pairs).map("".join)


OCTETS = st.text(st.characters(exclude_characters="\r\n", max_codepoint=0xFF), max_size=20).map(
    lambda text: text.encode("latin-1")
)
FOLDS = st.lists(st.tuples(st.sampled_from([b" ", b"\t"]), OCTETS).map(b"".join), max_size=3)
VALUES = st.tuples(OCTETS, FOLDS).map(lambda parts: b"\r\n".join([parts[0], *parts[1]]) + b"\r\n")
TOKENS = st.text("abcdefXSMTPeter-0123", min_size=1, max_size=12)
OTHERS = st.tuples(TOKENS, VALUES).map(lambda parts: parts[0].encode() + b":" + parts[1])
INSTRUCTIONS = st.tuples(st.sampled_from(PREFIXES).flatmap(mixed_case), TOKENS, VALUES).map(
    lambda parts: f"{parts[0]}{parts[1]}:".encode() + parts[2]
)


class RemoveInstructionsTests(SynchronousTestCase):
    """What is taken out, and what stays."""

    def test_known_and_unknown(self) -> None:
        """Every field with the prefix goes: known, unknown, repeated, empty, in any case."""
        header = (
            b"From: a@b.example\r\n"
            b"x-smtpeter-trackclicks: true\r\n"
            b"X-SMTPeter-TrackClicks: false\r\n"
            b"X-SMTPETER-COLOUR:\r\n"
            b"x-smtpeter-: nothing\r\n"
            b"X-Campaign: 44\r\n"
        )
        self.assertEqual(b"From: a@b.example\r\nX-Campaign: 44\r\n" + BODY, removed(header))

    def test_folded(self) -> None:
        """A field goes with all its continuation lines, blank ones too."""
        header = b"x-smtpeter-tags: a,\r\n\tb,\r\n \r\n  c\r\nTo: c@d.example\r\n"
        self.assertEqual(b"To: c@d.example\r\n" + BODY, removed(header))

    def test_no_field_at_all(self) -> None:
        """A line that begins like an instruction and is no field goes as well."""
        for line in (b"x-smtpeter-tags spring", b"X-SMTPeter-t\xe4gs: a", b"x-smtpeter-a b: c"):
            self.assertEqual(
                b"To: c@d.example\r\n" + BODY, removed(b"To: c@d.example\r\n" + line + b"\r\n")
            )

    def test_configured_prefixes(self) -> None:
        """Each configured prefix counts, and the documented one still does."""
        header = b"X-Acme-Tags: a\r\nX-SMTPeter-Tags: b\r\nX-Acmes: c\r\n"
        self.assertEqual(b"X-Acmes: c\r\n" + BODY, removed(header))

    def test_only_at_the_beginning(self) -> None:
        """A name that holds the prefix further on, and a value that does, stay."""
        header = b"Old-X-SMTPeter-Tags: a\r\nSubject: x-smtpeter-tags: b\r\n x-smtpeter-c: d\r\n"
        self.assertEqual(header + BODY, removed(header))

    def test_attached_message(self) -> None:
        """A message within the message keeps its fields."""
        header = b"X-SMTPeter-Tags: a\r\nContent-Type: message/rfc822\r\n"
        self.assertEqual(b"Content-Type: message/rfc822\r\n" + BODY, removed(header))

    def test_nothing_else_is_left(self) -> None:
        """A header that holds nothing but instructions becomes an empty one."""
        self.assertEqual(BODY, removed(b"X-SMTPeter-Tags: a\r\n"))
        self.assertEqual(b"", removed(b"X-SMTPeter-Tags: a\r\n", b""))

    def test_untouched(self) -> None:
        """A message without instructions is handed on as it is."""
        one = draft(b"From: a@b.example\r\n\r\nx-smtpeter-tags: a\r\n")
        self.assertIs(one, remove_instructions(one, PREFIXES))

    @given(st.lists(st.tuples(st.booleans(), OTHERS, INSTRUCTIONS), max_size=8))
    def test_octet_for_octet(self, fields: list[tuple[bool, bytes, bytes]]) -> None:
        """Whatever the header, what is no instruction stays, octet for octet and in order."""
        others = [
            other
            for _, other, _ in fields
            if not other.lower().startswith(tuple(each.encode() for each in PREFIXES))
        ]
        header = b"".join(
            instruction + other if first else other + instruction
            for first, other, instruction in fields
        )
        self.assertEqual(b"".join(others) + BODY, removed(header))

    @given(st.binary(max_size=200))
    def test_any_octets(self, octets: bytes) -> None:
        """It never fails, and what it leaves has no line with a prefix in the header."""
        left = remove_instructions(draft(b"X-Acme-A: b\r\n" + octets), PREFIXES).content
        self.assertNotIn(b"\r\nx-acme-", b"\r\n" + left.header.lower())
