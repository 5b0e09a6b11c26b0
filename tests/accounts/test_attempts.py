"""How often somebody may guess."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.accounts import attempts
from smtpeter.accounts.attempts import FailureLimit, host, network


class NetworkTests(SynchronousTestCase):
    """Which addresses count together."""

    def test_host(self) -> None:
        """A host is one IPv4 address or the /64 of an IPv6 address."""
        self.assertEqual("192.0.2.7/32", host("192.0.2.7"))
        self.assertEqual("2001:db8:1:2::/64", host("2001:db8:1:2:3:4:5:6"))

    def test_network(self) -> None:
        """A network is the /24 of an IPv4 address or the /64 of an IPv6 address."""
        self.assertEqual("192.0.2.0/24", network("192.0.2.7"))
        self.assertEqual("2001:db8:1:2::/64", network("2001:db8:1:2:3:4:5:6"))

    def test_ipv4_in_ipv6(self) -> None:
        """An IPv4 client that reached an IPv6 socket is the IPv4 client it is."""
        self.assertEqual(host("192.0.2.7"), host("::ffff:192.0.2.7"))
        self.assertEqual(network("192.0.2.7"), network("::ffff:192.0.2.7"))

    def test_zone(self) -> None:
        """The zone of a link-local address does not matter."""
        self.assertEqual("fe80::/64", host("fe80::1%eth0"))

    def test_no_address(self) -> None:
        """What is no IP address counts as it stands."""
        self.assertEqual(("", "pipe"), (host(""), network("pipe")))

    @given(st.ip_addresses(v=6))
    def test_neighbours_in_ipv6(self, address: object) -> None:
        """All addresses of one /64 count together."""
        text = str(address)
        if text.startswith("::ffff:"):
            return
        first = host(text).removesuffix("/64")
        self.assertEqual(host(text), host(first))

    @given(st.text())
    def test_any_text(self, text: str) -> None:
        """Whatever is taken for an address gives an answer."""
        self.assertIsInstance(host(text) + network(text), str)


class FailureLimitTests(SynchronousTestCase):
    """Who is blocked, who waits, and who is not touched."""

    def setUp(self) -> None:
        self.clock = Clock()
        self.limit = FailureLimit(self.clock.seconds)

    def fail_often(self, times: int, address: str, username: str) -> None:
        for _ in range(times):
            self.limit.failed(address, username)

    def guess_names(self, times: int, address: str) -> None:
        for number in range(times):
            self.limit.failed(address, f"name{number}")

    def test_user_is_blocked_from_a_network(self) -> None:
        """The twentieth failure blocks a name from the network it came from."""
        self.fail_often(19, "192.0.2.1", "noor")
        self.assertFalse(self.limit.blocked("192.0.2.1", "noor"))
        self.fail_often(1, "192.0.2.2", "NOOR")
        self.assertTrue(self.limit.blocked("192.0.2.3", "noor"))
        self.assertTrue(self.limit.blocked("192.0.2.3", "Noor"))

    def test_nobody_is_locked_out_of_the_world(self) -> None:
        """A name that is blocked from one network logs in from any other."""
        self.fail_often(1000, "192.0.2.1", "noor")
        self.assertFalse(self.limit.blocked("198.51.100.1", "noor"))

    def test_many_networks_block_nothing(self) -> None:
        """A name guessed from many networks is slow to fail, and blocked from nowhere new."""
        for number in range(200):
            self.limit.failed(f"10.0.{number}.1", "noor")
        self.assertFalse(self.limit.blocked("192.0.2.1", "noor"))
        self.assertEqual(attempts.MAX_DELAY_SECONDS, self.limit.delay_seconds("192.0.2.1", "noor"))

    def test_others_of_the_network_are_not_blocked(self) -> None:
        """Another name from the same address is not blocked with the first."""
        self.fail_often(50, "192.0.2.1", "noor")
        self.assertFalse(self.limit.blocked("192.0.2.1", "kees"))

    def test_host_is_blocked(self) -> None:
        """A hundred failures with whatever names block the host, and no other of its network."""
        self.guess_names(99, "192.0.2.1")
        self.assertFalse(self.limit.blocked("192.0.2.1", "kees"))
        self.limit.failed("192.0.2.1", "last")
        self.assertTrue(self.limit.blocked("192.0.2.1", "kees"))
        self.assertFalse(self.limit.blocked("192.0.2.2", "kees"))

    def test_whole_ipv6_network_is_one_host(self) -> None:
        """Changing the address within a /64 helps no guesser."""
        for number in range(100):
            self.limit.failed(f"2001:db8::{number:x}", f"name{number}")
        self.assertTrue(self.limit.blocked("2001:db8::ffff", "kees"))

    def test_good_login_behind_a_nat(self) -> None:
        """Who has logged in from a host is not blocked with it by a bad neighbour."""
        self.limit.succeeded("192.0.2.1", "kees")
        self.guess_names(500, "192.0.2.1")
        self.assertFalse(self.limit.blocked("192.0.2.1", "kees"))
        self.assertTrue(self.limit.blocked("192.0.2.1", "noor"))

    def test_good_login_with_a_guessing_neighbour(self) -> None:
        """Guesses at a name from the next address do not block it where it is at home."""
        self.limit.succeeded("192.0.2.1", "kees")
        self.fail_often(50, "192.0.2.2", "kees")
        self.assertFalse(self.limit.blocked("192.0.2.1", "kees"))
        self.assertTrue(self.limit.blocked("192.0.2.2", "kees"))

    def test_guesses_from_the_same_host(self) -> None:
        """A name that is at home somewhere can still not be guessed there without end."""
        self.limit.succeeded("192.0.2.1", "kees")
        self.fail_often(20, "192.0.2.1", "kees")
        self.assertTrue(self.limit.blocked("192.0.2.1", "kees"))

    def test_success_forgives(self) -> None:
        """A login wipes out what the same user mistyped before it, and nobody else's failures."""
        self.fail_often(19, "192.0.2.1", "noor")
        self.fail_often(20, "192.0.2.1", "kees")
        self.limit.succeeded("192.0.2.1", "noor")
        self.fail_often(19, "192.0.2.1", "noor")
        self.assertFalse(self.limit.blocked("192.0.2.1", "noor"))
        self.assertTrue(self.limit.blocked("192.0.2.1", "kees"))

    def test_block_ends(self) -> None:
        """Ten minutes after its last failure nothing is left of a block."""
        self.clock.advance(attempts.WINDOW_SECONDS / 2)
        self.guess_names(100, "192.0.2.1")
        self.fail_often(20, "192.0.2.1", "noor")
        self.clock.advance(attempts.WINDOW_SECONDS)
        self.assertFalse(self.limit.blocked("192.0.2.1", "noor"))
        self.clock.advance(attempts.WINDOW_SECONDS / 2)
        self.assertEqual(0.0, self.limit.delay_seconds("192.0.2.1", "noor"))

    def test_failures_of_two_windows_add_up(self) -> None:
        """Failures on both sides of a window's border count together."""
        self.clock.advance(attempts.WINDOW_SECONDS - 1)
        self.fail_often(15, "192.0.2.1", "noor")
        self.clock.advance(2)
        self.fail_often(6, "192.0.2.1", "noor")
        self.assertTrue(self.limit.blocked("192.0.2.1", "noor"))

    def test_home_is_forgotten(self) -> None:
        """Where a name has not logged in for a month it is a stranger again."""
        self.limit.succeeded("192.0.2.1", "kees")
        self.clock.advance(attempts.AT_HOME_SECONDS)
        self.guess_names(100, "192.0.2.1")
        self.assertTrue(self.limit.blocked("192.0.2.1", "kees"))

    def test_delay_grows(self) -> None:
        """Each further failure is answered later than the one before, up to five seconds."""
        delays = []
        for _ in range(8):
            self.limit.failed("192.0.2.1", "noor")
            delays.append(self.limit.delay_seconds("192.0.2.1", "noor"))
        self.assertEqual([0.25, 0.5, 1.0, 2.0, 4.0, 5.0, 5.0, 5.0], delays)

    def test_delay_of_a_guesser_of_names(self) -> None:
        """One host that tries a new name each time is slowed down all the same."""
        self.guess_names(30, "192.0.2.1")
        self.assertEqual(5.0, self.limit.delay_seconds("192.0.2.1", "another"))

    def test_nobody_waits_for_nothing(self) -> None:
        """Without a failure there is neither delay nor block."""
        self.assertEqual(0.0, self.limit.delay_seconds("192.0.2.1", "noor"))
        self.assertFalse(self.limit.blocked("192.0.2.1", "noor"))

    def test_memory_is_bounded(self) -> None:
        """However many names and addresses fail, those seen last alone are remembered."""
        self.patch(attempts, "MAX_ENTRIES", 10)
        for number in range(100):
            self.limit.failed(f"10.{number}.0.1", "x" * 10_000 + str(number))
        for counts in (self.limit._of_user_from, self.limit._from_host, self.limit._of_user):
            self.assertLessEqual(len(counts._counts), 10)
        self.assertGreater(self.limit.delay_seconds("10.99.0.1", "x" * 400), 0)

    @given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from("xy")), max_size=200))
    def test_delay_has_its_limits(self, failures: list[tuple[str, str]]) -> None:
        """Whatever has failed, a delay is between nothing and five seconds."""
        limit = FailureLimit(Clock().seconds)
        for address, username in failures:
            limit.failed(address, username)
            self.assertTrue(0 < limit.delay_seconds(address, username) <= 5)
