"""Policies of MTA-STS."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.security.stspolicy import (
    MAX_AGE_SECONDS,
    MAX_PATTERNS,
    MAX_POLICY_OCTETS,
    InvalidPolicy,
    StsMode,
    StsPolicy,
    parse_policy,
    policy_id,
)

LABELS = st.from_regex(r"[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?", fullmatch=True)
HOSTS = st.lists(LABELS, min_size=1, max_size=4).map(".".join)
PATTERNS = st.builds(str.__add__, st.sampled_from(["", "*."]), HOSTS)
POLICIES = st.builds(
    StsPolicy,
    st.sampled_from(StsMode),
    st.lists(PATTERNS, min_size=1, max_size=5, unique=True).map(tuple),
    st.integers(0, MAX_AGE_SECONDS),
)
NAMES = st.sampled_from(["version", "mode", "mx", "max_age", "x-other", ""])
VALUES = st.sampled_from(["STSv1", "enforce", "none", "mx.example", "*.example", "86400", "*", ""])
ROUGH_LINES = st.builds(lambda name, value: f"{name}: {value}", NAMES, VALUES)

POLICY = b"version: STSv1\r\nmode: enforce\r\nmx: mx1.mailbox.example\r\nmax_age: 604800\r\n"


class RecordTests(SynchronousTestCase):
    """The TXT record that announces a policy."""

    def test_id(self) -> None:
        """The id is what a record of MTA-STS says it is."""
        for record in (
            "v=STSv1; id=20260101T000000Z",
            "v=STSv1;id=20260101T000000Z;",
            "v=STSv1 ; id=20260101T000000Z ; ",
            "v=STSv1; id=20260101T000000Z; more=of.it; id=other",
        ):
            self.assertEqual("20260101T000000Z", policy_id([record]), record)

    def test_none(self) -> None:
        """A record without an id, with a bad one or with noise announces nothing."""
        for record in (
            "v=STSv1",
            "v=STSv1;",
            "v=STSv1; id=",
            "v=STSv1; id=a-b",
            f"v=STSv1; id={'a' * 33}",
            "v=STSv1; id=a; noise",
            "v=STSv1; id=a;; x=y",
            "v=STSv2; id=a",
            "id=a; v=STSv1",
            "",
        ):
            self.assertIsNone(policy_id([record]), record)

    def test_others(self) -> None:
        """Other records do not count; two of MTA-STS announce nothing."""
        record = "v=STSv1; id=a"
        self.assertEqual("a", policy_id(["v=spf1 -all", record, "v=STSv10; id=b"]))
        self.assertIsNone(policy_id([record, record]))
        self.assertIsNone(policy_id([]))

    @given(st.lists(st.text(), max_size=3))
    def test_any_texts(self, texts: list[str]) -> None:
        """Whatever is published, an id is a word or there is none."""
        known = policy_id([f"v=STSv1;{text}" for text in texts])
        self.assertTrue(known is None or known.isalnum())


class PolicyTests(SynchronousTestCase):
    """The policy itself."""

    def refused(self, octets: bytes) -> str:
        """Why something is no policy."""
        return str(self.assertRaises(InvalidPolicy, parse_policy, octets))

    def test_policy(self) -> None:
        """All fields are read."""
        expected = StsPolicy(StsMode.ENFORCE, ("mx1.mailbox.example",), 604_800)
        self.assertEqual(expected, parse_policy(POLICY))
        self.assertEqual(expected, parse_policy(POLICY.replace(b"\r\n", b"\n").strip()))

    def test_liberties(self) -> None:
        """Blanks, capitals in names, final dots, unknown fields and repetitions do no harm."""
        octets = (
            b"version:STSv1\nx-note: of \xc3\xa9\nmode: testing \nmode: enforce\n"
            b"mx : *.Mailbox.Example.\nmx: *.mailbox.example\nmax_age: 9999999999\n\n"
        )
        expected = StsPolicy(StsMode.TESTING, ("*.mailbox.example",), MAX_AGE_SECONDS)
        self.assertEqual(expected, parse_policy(octets))

    def test_no_hosts(self) -> None:
        """A policy of mode none needs no hosts; any other does."""
        octets = POLICY.replace(b"mx: mx1.mailbox.example\r\n", b"")
        self.assertIn("no mx", self.refused(octets))
        self.assertEqual((), parse_policy(octets.replace(b"enforce", b"none")).mx)

    def test_invalid(self) -> None:
        """What is no policy is refused with the reason."""
        for octets, reason in (
            (b"", "line"),
            (b"<html>no such page</html>", "line"),
            (POLICY.replace(b"STSv1", b"STSv2"), "version"),
            (POLICY.replace(b"version", b"vision"), "version"),
            (POLICY.replace(b"enforce", b"perhaps"), "mode"),
            (POLICY.replace(b"604800", b"a week"), "max_age"),
            (POLICY.replace(b"604800", b"-1"), "max_age"),
            (POLICY.replace(b"max_age", b"age"), "max_age"),
            (POLICY.replace(b"mx1.", b"mx*."), "mx"),
            (POLICY.replace(b"mx1.", b"*.*."), "mx"),
            (POLICY.replace(b"mx1.", b"mx..1"), "mx"),
            (POLICY + b"\xff", "UTF-8"),
            (POLICY + b"mx: a\n" * MAX_POLICY_OCTETS, "long"),
            (POLICY + b"".join(b"mx: a%d\n" % number for number in range(MAX_PATTERNS)), "more"),
        ):
            self.assertIn(reason, self.refused(octets))

    @given(POLICIES)
    def test_written_and_read(self, policy: StsPolicy) -> None:
        """A policy that was written is read back."""
        self.assertEqual(policy, parse_policy("\r\n".join(policy.lines()).encode()))

    @given(st.lists(ROUGH_LINES | st.text(max_size=20), max_size=8), st.sampled_from("\n\r"))
    def test_any_lines(self, lines: list[str], end: str) -> None:
        """Anything is a policy that can be written and read again, or refused in one line."""
        try:
            policy = parse_policy(end.join(["version: STSv1", *lines]).encode("utf-8", "replace"))
        except InvalidPolicy as error:
            self.assertNotIn("\n", str(error))
        else:
            self.assertEqual(policy, parse_policy("\n".join(policy.lines()).encode()))


class HostTests(SynchronousTestCase):
    """Hosts that a policy admits."""

    policy = StsPolicy(StsMode.ENFORCE, ("mx.mailbox.example", "*.relay.example"), 86_400)

    def test_hosts(self) -> None:
        """A host is named, or one label below a wildcard."""
        for host, admitted in (
            ("mx.mailbox.example", True),
            ("a.relay.example", True),
            ("a.mx.mailbox.example", False),
            ("mailbox.example", False),
            ("relay.example", False),
            ("a.b.relay.example", False),
            ("arelay.example", False),
            ("", False),
            ("[192.0.2.1]", False),
        ):
            self.assertEqual(admitted, self.policy.admits(host), host)

    @given(POLICIES, HOSTS)
    def test_any_host(self, policy: StsPolicy, host: str) -> None:
        """A wildcard admits what has as many labels and ends the same."""
        expected = any(
            pattern == host
            or (
                pattern.startswith("*.")
                and host.endswith(pattern[1:])
                and host.count(".") == pattern.count(".")
            )
            for pattern in policy.mx
        )
        self.assertEqual(expected, policy.admits(host))
