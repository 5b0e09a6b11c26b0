import string

from hypothesis import example, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.address import LOCAL_PART_OCTETS, Mailbox
from smtpeter.message.bounceaddress import (
    DAY_SECONDS,
    DAYS,
    LIFETIME_DAYS,
    LOCAL_CHARACTERS,
    BounceAddresses,
    Claim,
    Flaw,
)

KEY = bytes(range(32))
ADDRESSES = BounceAddresses(KEY)
MESSAGE_ID = "7hQx2LmPzR9aTc04"
NOW = 1_900_000_000.0
ALPHABET = string.ascii_letters + string.digits
BASE32 = string.ascii_lowercase + "234567"

MESSAGE_IDS = st.text(ALPHABET, min_size=16, max_size=16)
MOMENTS = st.floats(0, DAYS * DAY_SECONDS - 1)


class BounceAddressesTests(SynchronousTestCase):
    """Bounce addresses are made, and read."""

    @given(MESSAGE_IDS, MOMENTS)
    @example("0" * 16, 0.0)
    @example("z" * 16, DAYS * DAY_SECONDS - 1)
    def test_read_again(self, message_id: str, moment: float) -> None:
        """What an address was made for is read from it."""
        claim = Claim(message_id, int(moment // DAY_SECONDS))
        self.assertEqual(claim, ADDRESSES.read(ADDRESSES.make(message_id, moment), moment))

    @given(MESSAGE_IDS, MOMENTS)
    def test_form(self, message_id: str, moment: float) -> None:
        """It is 32 characters of base32 in lower case, and fits in front of an @."""
        local = ADDRESSES.make(message_id, moment)
        self.assertRegex(local, rf"\A[{BASE32}]{{32}}\Z")
        self.assertLessEqual(len(local), LOCAL_PART_OCTETS)
        self.assertEqual(local, Mailbox.parse(f"{local}@bounces.shop.example").local)

    @given(MESSAGE_IDS, st.lists(st.booleans(), min_size=32, max_size=32))
    def test_case(self, message_id: str, upper: list[bool]) -> None:
        """Whatever case its letters have come to, it is the same address."""
        local = ADDRESSES.make(message_id, NOW)
        changed = "".join(c.upper() if up else c for c, up in zip(local, upper, strict=True))
        self.assertEqual(ADDRESSES.read(local, NOW), ADDRESSES.read(changed, NOW))

    @given(MESSAGE_IDS, st.integers(0, LOCAL_CHARACTERS - 1), st.sampled_from(BASE32))
    def test_changed(self, message_id: str, place: int, character: str) -> None:
        """With another character anywhere it is forged."""
        local = ADDRESSES.make(message_id, NOW)
        changed = local[:place] + character + local[place + 1 :]
        if changed != local:
            self.assertEqual(Flaw.FORGED, ADDRESSES.read(changed, NOW))

    @given(st.text(max_size=40) | st.text(BASE32, min_size=30, max_size=34))
    @example("")
    @example("a" * 33)
    @example("1" * 32)
    @example("a" * 32 + "\n")
    @example("\u017f" * 32)
    def test_other(self, local: str) -> None:
        """Whatever is no bounce address is none, and never an error."""
        self.assertIn(ADDRESSES.read(local, NOW), {Flaw.FOREIGN, Flaw.FORGED})

    def test_looks_like_one(self) -> None:
        """What has the form of one is told from all other addresses."""
        self.assertEqual(Flaw.FORGED, ADDRESSES.read("a" * 32, NOW))
        for local in ("postmaster", "a" * 31, "a" * 33, "8" * 32, "a-" * 16):
            self.assertEqual(Flaw.FOREIGN, ADDRESSES.read(local, NOW))

    def test_expires(self) -> None:
        """It is good for its number of days, and no longer."""
        local = ADDRESSES.make(MESSAGE_ID, NOW)
        last = (NOW // DAY_SECONDS + LIFETIME_DAYS + 1) * DAY_SECONDS - 1
        self.assertIsInstance(ADDRESSES.read(local, last), Claim)
        self.assertEqual(Flaw.EXPIRED, ADDRESSES.read(local, last + 1))
        other = BounceAddresses(KEY, lifetime_days=1)
        self.assertEqual(Flaw.EXPIRED, other.read(local, NOW + 2 * DAY_SECONDS))

    def test_same_for_all_attempts(self) -> None:
        """Within a day the address is the same: greylisting knows a message by it."""
        day = NOW // DAY_SECONDS * DAY_SECONDS
        made = {ADDRESSES.make(MESSAGE_ID, day + hour * 3600.0) for hour in range(24)}
        self.assertEqual(1, len(made))

    def test_keys(self) -> None:
        """All keys read, the first makes."""
        newer = b"n" * 32
        both = BounceAddresses(newer, [KEY])
        old, new = ADDRESSES.make(MESSAGE_ID, NOW), both.make(MESSAGE_ID, NOW)
        self.assertNotEqual(old, new)
        self.assertEqual(both.read(old, NOW), both.read(new, NOW))
        self.assertEqual(Flaw.FORGED, ADDRESSES.read(new, NOW))
        both.use(KEY)
        self.assertEqual(old, both.make(MESSAGE_ID, NOW))
        self.assertEqual(Flaw.FORGED, both.read(new, NOW))

    def test_stays(self) -> None:
        """Addresses of mail that has been sent hold: they are made the same way for ever."""
        self.assertEqual("cmq4h6z2hitt2boepmkflzuwyfwzurnt", ADDRESSES.make(MESSAGE_ID, NOW))

    def test_cannot_be_made(self) -> None:
        """What is no message id, and a time that has no place, are refused."""
        for message_id in ("", "a" * 15, "a" * 17, "a" * 15 + "-"):
            self.assertRaises(ValueError, ADDRESSES.make, message_id, NOW)
        for moment in (-1.0, DAYS * DAY_SECONDS):
            self.assertRaises(ValueError, ADDRESSES.make, MESSAGE_ID, moment)
