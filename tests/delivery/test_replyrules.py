import re
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.replyrules import (
    RuleError,
    compile_patterns,
    read_rules,
    rules,
    wording,
    wordings,
)

PATTERNS = sorted({each.pattern for _, _, each in wordings().entries if each.pattern})
WORDS = sorted({each.needle for _, _, each in wordings().entries})


def read(**keys: Any) -> None:
    """Read a file with this one rule."""
    list(read_rules({"rule": [{"class": "rate", **keys}]}))


class FileTests(SynchronousTestCase):
    """The rules as they are shipped."""

    def test_file(self) -> None:
        """All rules can be used, and all patterns are regular expressions."""
        compile_patterns()
        self.assertGreater(len(rules()), 50)

    def test_no_wording_twice(self) -> None:
        """No rule looks for what an earlier one, which fits all that it fits, looks for."""
        seen: dict[str, list[int]] = {}
        for number, rule, each in wordings().entries:
            for earlier in seen.get(each.pattern or each.needle, ()):
                other = rules()[earlier]
                narrower = other.codes or other.statuses or other.states
                self.assertTrue(narrower, (each, number + 1, earlier + 1))
            if rule.wordings:
                seen.setdefault(each.pattern or each.needle, []).append(number)

    def test_bounded(self) -> None:
        """No pattern repeats anything without a bound, or repeats a repetition."""
        for pattern in PATTERNS:
            self.assertIsNone(re.search(r"(?<!\\)[*+]|\{[0-9]*,\}|\)\{", pattern), pattern)


class WordingTests(SynchronousTestCase):
    """What makes patterns quick to try."""

    def test_needle(self) -> None:
        """The needle is the longest part of a pattern that is found as it stands there."""
        for pattern, needle in (
            ("user unknown", "user unknown"),
            (r"a\.b\[c\]", "a.b[c]"),
            ("mailbox .{0,20}full", "mailbox "),
            ("(?:user|mailbox) not found", " not found"),
            ("messages? this session", " this session"),
            (r"\bspf\b", "spf"),
            ("buz[oó]n lleno", "n lleno"),
            ("abcd{1,3}ef", "abc"),
        ):
            self.assertEqual(needle, wording(pattern).needle, pattern)

    def test_refused(self) -> None:
        """A pattern that could be slow, or has nothing to look for, is refused."""
        for pattern in (
            ".*full",
            "a+ full",
            "(?:abc){1,9} full",
            "full.{0,}stop",
            "full.{0,500}stop",
            "Full",
            "one|two",
            r"\w full",
            "[a-z] n[a-z]",
            "",
        ):
            self.assertRaises(ValueError, wording, pattern)

    @given(st.data())
    def test_needle_is_always_there(self, data: st.DataObject) -> None:
        """Every text that fits a pattern contains its needle, and is likely to the index."""
        pattern = data.draw(st.sampled_from(PATTERNS))
        text = " ".join(data.draw(st.from_regex(pattern)).lower().split())
        assume(re.search(pattern, text))
        each = wording(pattern)
        self.assertIn(each.needle, text)
        self.assertTrue(each.fits(text))
        self.assertIn(each, [found for _, _, found in wordings().likely(text)])

    @given(st.lists(st.sampled_from(WORDS) | st.text(max_size=5), max_size=12).map("".join))
    def test_index(self, text: str) -> None:
        """The index leaves out nothing that fits, and keeps the order."""
        entries = wordings().entries
        fitting = [(number, each) for number, _, each in entries if each.fits(text)]
        likely = [(number, each) for number, _, each in wordings().likely(text)]
        self.assertEqual(fitting, [entry for entry in likely if entry[1].fits(text)])
        self.assertEqual(sorted(number for number, _ in likely), [number for number, _ in likely])


class ReadingTests(SynchronousTestCase):
    """What a file may say."""

    def test_allowed(self) -> None:
        """Each key may be left out, but not all."""
        read(text=["too many"])
        read(codes=["421", "45x", "5xx"])
        read(status=["4.7.28", "x.7.500-699", "x.3.x"])
        read(states=["rcptto", ""], throttle=True)

    def test_faults(self) -> None:
        """A fault is told with the number of its rule."""
        for keys, fault in (
            ({}, "it fits every reply"),
            ({"texts": ["too many"]}, "unknown key 'texts'"),
            ({"class": "slow", "codes": ["421"]}, "'slow'"),
            ({"codes": ["250"]}, "not a code"),
            ({"codes": ["x21"]}, "not a code"),
            ({"codes": []}, "list of strings"),
            ({"codes": 421}, "list of strings"),
            ({"codes": [421]}, "list of strings"),
            ({"codes": ["421", "421"]}, "twice"),
            ({"status": ["2.1.1"]}, "not a status"),
            ({"status": ["4.x.1"]}, "not a status"),
            ({"states": ["rcpt"]}, "not a state"),
            ({"text": [".*"]}, "not bounded"),
            ({"codes": ["421"], "throttle": "yes"}, "true or false"),
            ({"codes": ["421"], "hard": False}, "for mailboxes"),
        ):
            with self.assertRaises(RuleError) as caught:
                read(**keys)
            self.assertIn("rule 1", str(caught.exception))
            self.assertIn(fault, str(caught.exception))

    def test_documents(self) -> None:
        """Nothing but rules may stand in a file."""
        documents: tuple[dict[str, Any], ...]
        documents = ({}, {"rules": []}, {"rule": {}}, {"rule": [], "more": 1})
        for document in documents:
            with self.assertRaises(RuleError):
                list(read_rules(document))
        with self.assertRaises(RuleError):
            list(read_rules({"rule": [{"codes": ["421"]}]}))
