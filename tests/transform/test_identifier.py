import string

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.identifier import (
    KINDS,
    LONGEST,
    NUMBERS,
    ORIGINS,
    Identified,
    Identifiers,
)

KEY = bytes(range(32))
IDENTIFIERS = Identifiers(KEY)
MESSAGE_ID = "7hQx2LmPzR9aTc04"
ALPHABET = string.ascii_letters + string.digits

MESSAGE_IDS = st.text(ALPHABET, min_size=16, max_size=16)
IDENTIFIED = st.builds(
    Identified,
    MESSAGE_IDS,
    st.sampled_from(KINDS),
    st.integers(0, NUMBERS - 1),
    st.integers(0, 5000) | st.integers(0, ORIGINS - 1),
)


def made(what: Identified, identifiers: Identifiers = IDENTIFIERS) -> str:
    """The identifier of something."""
    return identifiers.make(what.message_id, what.kind, what.number, what.origin)


class IdentifiersTests(SynchronousTestCase):
    """Identifiers are made, and read."""

    @given(IDENTIFIED)
    def test_read_again(self, what: Identified) -> None:
        """What an identifier was made for is read from it."""
        self.assertEqual(what, IDENTIFIERS.read(made(what)))

    @given(IDENTIFIED)
    def test_form(self, what: Identified) -> None:
        """An identifier is letters and digits, and not longer than promised."""
        self.assertRegex(made(what), rf"\A[A-Za-z0-9]{{28,{LONGEST}}}\Z")
        if what.origin < 900:
            self.assertLessEqual(len(made(what)), 31)

    def test_longest(self) -> None:
        """The greatest numbers fit."""
        what = Identified("z" * 16, KINDS[-1], NUMBERS - 1, ORIGINS - 1)
        self.assertEqual(what, IDENTIFIERS.read(made(what)))

    def test_stays(self) -> None:
        """Identifiers in mail that has been sent hold: they are made the same way for ever."""
        what = Identified(MESSAGE_ID, "click", 3, 7)
        self.assertEqual("7hQx2LmPzR9aTc04TqCtcfqlC70fPK", made(what))

    @given(IDENTIFIED, IDENTIFIED)
    def test_different(self, one: Identified, other: Identified) -> None:
        """Different things have different identifiers."""
        self.assertEqual(one == other, made(one) == made(other))

    @given(IDENTIFIED, st.data())
    def test_tampered(self, what: Identified, data: st.DataObject) -> None:
        """With any character changed, added or left out it proves nothing."""
        identifier = made(what)
        place = data.draw(st.integers(0, len(identifier) - 1))
        piece = data.draw(st.text(ALPHABET, max_size=2))
        changed = identifier[:place] + piece + identifier[place + 1 :]
        if changed != identifier:
            self.assertIsNone(IDENTIFIERS.read(changed))

    @given(IDENTIFIED)
    def test_case(self, what: Identified) -> None:
        """The case of each letter counts."""
        identifier = made(what)
        for changed in {identifier.lower(), identifier.upper(), identifier.swapcase()}:
            self.assertIsNone(IDENTIFIERS.read(changed))

    @given(IDENTIFIED, IDENTIFIED)
    def test_transplanted(self, one: Identified, other: Identified) -> None:
        """The proof of one identifier is none for another."""
        if one != other:
            self.assertIsNone(IDENTIFIERS.read(made(one)[:-11] + made(other)[-11:]))

    @given(st.text() | st.text(ALPHABET, min_size=26, max_size=36))
    def test_invented(self, text: str) -> None:
        """What nobody made is no identifier."""
        self.assertIsNone(IDENTIFIERS.read(text))

    @given(IDENTIFIED, st.binary(min_size=16, max_size=64))
    def test_other_key(self, what: Identified, key: bytes) -> None:
        """Another key reads nothing of ours."""
        if key != KEY:
            self.assertIsNone(Identifiers(key).read(made(what)))

    @given(IDENTIFIED)
    def test_rotation(self, what: Identified) -> None:
        """Identifiers of older keys hold while those are given; new ones have the new key."""
        new = Identifiers(b"n" * 16, others=[b"o" * 16, KEY])
        self.assertEqual(what, new.read(made(what)))
        self.assertIsNone(IDENTIFIERS.read(made(what, new)))
        self.assertIsNone(Identifiers(b"n" * 16, others=[b"o" * 16]).read(made(what)))

    def test_refused(self) -> None:
        """What cannot be written is refused by name."""
        for arguments, reason in (
            (("short", "click", 0, 0), "'short' is no message id"),
            (("7hQx2LmPzR9aTc0-", "click", 0, 0), "'7hQx2LmPzR9aTc0-' is no message id"),
            ((MESSAGE_ID, "view", 0, 0), "'view' is no kind: click, open, image, webversion"),
            ((MESSAGE_ID, "click", NUMBERS, 0), "number 2048 is not from 0 to 2047"),
            ((MESSAGE_ID, "click", -1, 0), "number -1 is not from 0 to 2047"),
            ((MESSAGE_ID, "click", 0, ORIGINS), "origin 2147483648 is not from 0 to 2147483647"),
            ((MESSAGE_ID, "click", 0, -1), "origin -1 is not from 0"),
        ):
            error = self.assertRaises(ValueError, IDENTIFIERS.make, *arguments)
            self.assertIn(reason, str(error))

    def test_keys(self) -> None:
        """A key has 16 to 64 octets, an older one too."""
        for key in (b"k" * 15, b"k" * 65, b""):
            error = self.assertRaises(ValueError, Identifiers, key)
            self.assertIn("has 16 to 64 octets", str(error))
            self.assertRaises(ValueError, Identifiers, KEY, [key])

    def test_other_keys_later(self) -> None:
        """Other keys can be taken up: new identifiers have the new one, the old ones hold."""
        identifiers = Identifiers(KEY)
        what = Identified("m" * 16, "click", 3, 1)
        before = made(what, identifiers)
        identifiers.use(b"n" * 16, [KEY])
        after = made(what, identifiers)
        self.assertNotEqual(before, after)
        self.assertEqual([what] * 2, [identifiers.read(each) for each in (before, after)])
        self.assertRaises(ValueError, identifiers.use, b"short")
        self.assertEqual(what, identifiers.read(after))
