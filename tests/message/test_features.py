"""Features, and who decides them."""

from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.features import (
    ALL_ON,
    MAX_TAG_CHARACTERS,
    MAX_TAGS,
    NORMAL,
    PRIORITIES,
    REST_DEFAULTS,
    SWITCHES,
    Features,
    Overrides,
    overrides_from_headers,
    parse_boolean,
    parse_images,
    parse_priority,
    valid_tag,
)

NAMES = {
    "x-smtpeter-inlinecss": "inlinecss",
    "x-smtpeter-inlinizecss": "inlinecss",
    "x-smtpeter-inlineizecss": "inlinecss",
    "x-smtpeter-trackclicks": "trackclicks",
    "x-smtpeter-clicktracking": "trackclicks",
    "x-smtpeter-trackbounces": "trackbounces",
    "x-smtpeter-bouncetracking": "trackbounces",
    "x-smtpeter-trackopens": "trackopens",
    "x-smtpeter-openstracking": "trackopens",
    "x-smtpeter-preventscam": "preventscam",
}
OFF = Features()
OVERRIDES = st.builds(
    Overrides,
    **{name: st.none() | st.booleans() for name in SWITCHES},
    images=st.sampled_from([None, "default", "hosted"]),
    tags=st.none() | st.lists(st.text(max_size=3), max_size=3).map(tuple),
    priority=st.sampled_from([None, *PRIORITIES]),
)


def said(*fields: tuple[str, str]) -> Overrides:
    return overrides_from_headers(fields)[0]


class HeaderTests(SynchronousTestCase):
    """Instruction headers."""

    def test_every_name_switches_on(self) -> None:
        """Each published name switches its feature on, and no other one."""
        for name, feature in NAMES.items():
            features = OFF.overridden(said((name, "true")))
            self.assertEqual({feature}, set(features.switched_on()), name)

    def test_every_name_switches_off(self) -> None:
        """Each published name switches its feature off, and no other one."""
        for name, feature in NAMES.items():
            features = ALL_ON.overridden(said((name, "false")))
            self.assertEqual({*SWITCHES} - {feature}, set(features.switched_on()), name)

    def test_words(self) -> None:
        """Four words mean true and four mean false, in any case and with blanks around them."""
        for word in ("true", "1", "yes", "on", "TRUE", " On "):
            self.assertIs(True, parse_boolean(word), word)
        for word in ("false", "0", "no", "off", "FALSE", "\tNo"):
            self.assertIs(False, parse_boolean(word), word)
        for word in ("", "2", "maybe", "tru", "true false", "ja"):
            self.assertIsNone(parse_boolean(word), word)

    def test_garbage(self) -> None:
        """A value that means nothing leaves the decision to the next level, with a warning."""
        overrides, warnings = overrides_from_headers(
            [("x-smtpeter-trackclicks", "maybe"), ("x-smtpeter-images", "some")]
        )
        self.assertEqual(Overrides(), overrides)
        self.assertEqual(2, len(warnings))
        self.assertIn("'maybe'", warnings[0])
        self.assertIn("x-smtpeter-images", warnings[1])

    def test_last_valid_wins(self) -> None:
        """Of several values of one option, in both spellings, the last valid one counts."""
        overrides = said(
            ("x-smtpeter-trackclicks", "true"),
            ("x-smtpeter-clicktracking", "false"),
            ("x-smtpeter-trackclicks", "maybe"),
        )
        self.assertIs(False, overrides.trackclicks)

    def test_unknown(self) -> None:
        """An unknown instruction says nothing."""
        self.assertEqual((Overrides(), ()), overrides_from_headers([("x-smtpeter-colour", "red")]))

    def test_images(self) -> None:
        """Images are hosted or left alone, in any case."""
        self.assertEqual("hosted", said(("x-smtpeter-images", "Hosted")).images)
        self.assertEqual("default", said(("x-smtpeter-images", " DEFAULT ")).images)
        self.assertIsNone(parse_images("true"))

    def test_tags(self) -> None:
        """Tags of all occurrences are joined in order, without empty ones and duplicates."""
        overrides = said(("x-smtpeter-tags", "b, a,,b "), ("x-smtpeter-tags", "c,A"))
        self.assertEqual(("b", "a", "c", "A"), overrides.tags)

    def test_priority(self) -> None:
        """A priority is one of three words in any case; the last valid one wins."""
        for word in PRIORITIES:
            self.assertEqual(word, said(("x-smtpeter-priority", f" {word.upper()}")).priority)
        fields = [("x-smtpeter-priority", each) for each in ("bulk", "high", "urgent")]
        overrides, warnings = overrides_from_headers(fields)
        self.assertEqual("high", overrides.priority)
        self.assertEqual(
            ("x-smtpeter-priority: 'urgent' is neither high nor normal nor bulk",), warnings
        )
        self.assertIsNone(parse_priority(""))

    def test_no_tags(self) -> None:
        """A header without one valid tag leaves the tags of the next level."""
        self.assertIsNone(said(("x-smtpeter-tags", " , ")).tags)

    def test_bad_tags(self) -> None:
        """Tags with white space, semicolon or control character, or too long, are dropped."""
        bad = ["a b", "a;b", "a\0", "a\x1b", "a\x85b", "x" * (MAX_TAG_CHARACTERS + 1)]
        overrides, warnings = overrides_from_headers([("x-smtpeter-tags", ",".join([*bad, "ok"]))])
        self.assertEqual(("ok",), overrides.tags)
        self.assertEqual(len(bad), len(warnings))
        self.assertTrue(valid_tag("x" * MAX_TAG_CHARACTERS))
        self.assertTrue(valid_tag("zomer-actie/ü"))
        self.assertFalse(valid_tag(""))
        self.assertFalse(valid_tag("a,b"))

    def test_too_many_tags(self) -> None:
        """Beyond the greatest number tags are dropped; one that is there already is none more."""
        value = ",".join([*(f"t{number}" for number in range(MAX_TAGS + 2)), "t0"])
        overrides, warnings = overrides_from_headers([("x-smtpeter-tags", value)])
        self.assertEqual(tuple(f"t{number}" for number in range(MAX_TAGS)), overrides.tags)
        self.assertEqual(2, len(warnings))


class PrecedenceTests(SynchronousTestCase):
    """Who overrides whom."""

    @given(OVERRIDES, OVERRIDES)
    def test_each_option_by_itself(self, call: Overrides, headers: Overrides) -> None:
        """The headers decide what they speak of, then the call, then the account."""
        features = REST_DEFAULTS.overridden(call).overridden(headers)
        for name in (*SWITCHES, "images", "tags", "priority"):
            levels = (getattr(headers, name), getattr(call, name), getattr(REST_DEFAULTS, name))
            wanted = next(value for value in levels if value is not None)
            self.assertEqual(wanted, getattr(features, name), name)

    def test_silence(self) -> None:
        """Silence changes nothing."""
        self.assertIs(ALL_ON, ALL_ON.overridden(Overrides()))

    def test_published_example(self) -> None:
        """Clicks on by header, opens off by header, over a login that has it the other way."""
        login = Features(trackopens=True)
        features = login.overridden(
            said(
                ("x-smtpeter-clicktracking", "yes"),
                ("x-smtpeter-trackopens", "FALSE"),
                ("x-smtpeter-tags", "spring, nl"),
                ("x-smtpeter-colour", "green"),
            )
        )
        self.assertEqual(Features(trackclicks=True, tags=("spring", "nl")), features)

    def test_order_of_names(self) -> None:
        """Logs list the active switches in a fixed order."""
        self.assertEqual(
            ("preventscam", "inlinecss", "trackbounces", "trackopens", "trackclicks"),
            ALL_ON.switched_on(),
        )

    @given(OVERRIDES)
    def test_stored(self, overrides: Overrides) -> None:
        """Features that were stored are the same when they are read back, but for the priority."""
        features = OFF.overridden(overrides)
        stored = Features.from_dict(features.as_dict(), features.tags)
        self.assertEqual(evolve(features, priority=NORMAL), stored)
