"""Policies that are found, kept and found again."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.internet.task import Clock
from twisted.names import dns
from twisted.names.error import DNSServerError
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.resolver import MailResolver
from smtpeter.delivery.security.mtasts import FAILED_SECONDS, FRESH_SECONDS, StsPolicies
from smtpeter.delivery.security.stsfetching import PolicyNotFetched
from smtpeter.delivery.security.stspolicy import StsMode, StsPolicy
from smtpeter.delivery.security.tlsresult import TlsFault, TlsResult
from tests.delivery.security.quickstore import QuickStore
from tests.delivery.zone import Zone

DOMAIN = "mailbox.example"
DAY = 86_400
POLICY = StsPolicy(StsMode.ENFORCE, ("mx.mailbox.example",), 10 * DAY)
FAULT = TlsFault(TlsResult.STS_POLICY_FETCH_ERROR, "status 404")


class StsCase(SynchronousTestCase):
    """A domain that announces a policy, a web server in memory, and a database."""

    def setUp(self) -> None:
        self.store = QuickStore()
        self.clock = Clock()
        self.clock.advance(1_700_000_000)
        self.zone = Zone()
        self.announce("id1")
        self.policy: StsPolicy | None = POLICY
        self.answers: list[Deferred[None]] | None = None
        self.fetched: list[str] = []
        self.faults: list[tuple[str, TlsFault]] = []
        self.start()

    def announce(self, *ids: str) -> None:
        """Publish a record for each of these ids."""
        self.zone.text(f"_mta-sts.{DOMAIN}", *(f"v=STSv1; id={each};" for each in ids), ttl=5)

    def start(self) -> None:
        """Begin without any memory but that of the database."""
        self.policies = StsPolicies(
            MailResolver(self.zone, self.clock),
            self.fetch,
            self.store,  # type: ignore[arg-type]
            self.clock,
            lambda domain, fault: self.faults.append((domain, fault)),
        )

    async def fetch(self, domain: str) -> StsPolicy:
        self.fetched.append(domain)
        if self.answers is not None:
            answer: Deferred[None] = Deferred()
            self.answers.append(answer)
            await answer
        if self.policy is None:
            raise PolicyNotFetched(FAULT)
        return self.policy

    def asked(self, domain: str = DOMAIN) -> Deferred[StsPolicy | None]:
        return Deferred.fromCoroutine(self.policies.policy_for(domain))

    def found(self, domain: str = DOMAIN) -> StsPolicy | None:
        """What is in force."""
        return self.successResultOf(self.asked(domain))

    def later(self, seconds: float) -> None:
        self.clock.advance(seconds)


class FindingTests(StsCase):
    """Policies that are announced."""

    def test_found(self) -> None:
        """A policy that is announced is fetched, once."""
        self.assertEqual(POLICY, self.found())
        self.assertEqual(POLICY, self.found())
        self.assertEqual([DOMAIN], self.fetched)

    def test_none(self) -> None:
        """Where none is announced, or two are, nobody is asked for one."""
        self.assertIsNone(self.found("other.example"))
        self.announce("id1", "id2")
        self.assertIsNone(self.found())
        self.assertEqual([], self.fetched)

    def test_dns_is_silent(self) -> None:
        """Without an answer from DNS there is none."""
        self.zone.broken(f"_mta-sts.{DOMAIN}", dns.TXT, DNSServerError(None))
        self.assertIsNone(self.found())

    def test_mode_none(self) -> None:
        """A policy of mode none is kept, and is none."""
        self.policy = evolve(POLICY, mode=StsMode.NONE)
        self.assertIsNone(self.found())
        self.assertIsNone(self.found())
        self.assertEqual([DOMAIN], self.fetched)

    def test_together(self) -> None:
        """Who asks while it is fetched waits for the same."""
        self.answers = []
        first, second, third = self.asked(), self.asked(), self.asked()
        second.cancel()
        self.failureResultOf(second)
        self.assertNoResult(first)
        self.answers.pop().callback(None)
        self.assertEqual([POLICY] * 2, [self.successResultOf(first), self.successResultOf(third)])
        self.assertEqual([DOMAIN], self.fetched)

    def test_fault_of_ours(self) -> None:
        """A fault of ours is told, and is no policy."""
        self.policy = ()  # type: ignore[assignment]
        self.assertIsNone(self.found())
        self.assertEqual(1, len(self.flushLoggedErrors(AttributeError)))


class FailureTests(StsCase):
    """Policies that cannot be had."""

    def setUp(self) -> None:
        super().setUp()
        self.policy = None

    def test_failed(self) -> None:
        """What cannot be fetched is none; it is told of, and not tried again for ten minutes."""
        self.assertIsNone(self.found())
        self.assertEqual([(DOMAIN, FAULT)], self.faults)
        self.later(FAILED_SECONDS - 1)
        self.assertIsNone(self.found())
        self.assertEqual([DOMAIN], self.fetched)
        self.policy = POLICY
        self.later(1)
        self.assertEqual(POLICY, self.found())

    def test_old_one_stays(self) -> None:
        """While a new one cannot be had the old one stays in force, until it expires."""
        self.policy = POLICY
        self.found()
        self.policy = None
        self.announce("id2")
        for _ in range(9):
            self.later(DAY)
            self.assertEqual(POLICY, self.found())
        self.later(DAY)
        self.assertIsNone(self.found())

    def test_record_disappears(self) -> None:
        """So it does when none is announced any more."""
        self.policy = POLICY
        self.found()
        del self.zone.records[f"_mta-sts.{DOMAIN}", dns.TXT]
        self.later(10 * DAY - 1)
        self.assertEqual(POLICY, self.found())
        self.later(1)
        self.assertIsNone(self.found())
        self.assertEqual([DOMAIN], self.fetched)


class RenewalTests(StsCase):
    """Policies that change."""

    def setUp(self) -> None:
        super().setUp()
        self.found()
        self.newer = evolve(POLICY, mx=("*.mailbox.example",))
        self.policy = self.newer

    def test_announced_anew(self) -> None:
        """With another id the policy is fetched again before it is used."""
        self.later(10)
        self.assertEqual(POLICY, self.found())
        self.announce("id2")
        self.later(10)
        self.assertEqual(self.newer, self.found())

    def test_before_it_expires(self) -> None:
        """A policy that is a day old is fetched again, and mail does not wait for it."""
        self.later(FRESH_SECONDS - 1)
        self.found()
        self.assertEqual([DOMAIN], self.fetched)
        self.answers = []
        self.later(1)
        self.assertEqual(POLICY, self.found())
        self.answers.pop().callback(None)
        self.assertEqual(self.newer, self.found())
        self.assertEqual([DOMAIN] * 2, self.fetched)

    def test_of_short_life(self) -> None:
        """A policy that is kept for less is fetched again at half its time, not under minutes."""
        for age, half in ((3600, 1800), (0, 150)):
            self.policy = evolve(POLICY, max_age_seconds=age)
            self.announce(f"id{age}")
            self.later(10)
            self.found()
            self.fetched.clear()
            self.later(half - 1)
            self.found()
            self.assertEqual([], self.fetched)
            self.later(1)
            self.found()
            self.assertEqual([DOMAIN], self.fetched)


class RestartTests(StsCase):
    """From one start to the next."""

    def test_kept(self) -> None:
        """Policies are kept, with their ages."""
        self.found()
        self.later(1000)
        self.start()
        self.zone.broken(f"_mta-sts.{DOMAIN}", dns.TXT, DNSServerError(None))
        self.assertEqual(POLICY, self.found())
        self.assertEqual([DOMAIN], self.fetched)
        self.later(10 * DAY - 1000)
        self.assertIsNone(self.found())

    def test_read_once(self) -> None:
        """All who ask at the start wait for the same."""
        self.found()
        reading: list[Callable[[], object]] = []
        read = self.store.read

        def later(function: Callable[..., Any], *args: Any) -> Deferred[Any]:
            waiting: Deferred[Any] = Deferred()
            reading.append(lambda: read(function, *args).chainDeferred(waiting))
            return waiting

        self.store.read = later  # type: ignore[method-assign]
        self.start()
        first, second = self.asked(), self.asked()
        self.assertNoResult(first)
        (go_on,) = reading
        go_on()
        for each in (first, second):
            self.assertEqual(POLICY, self.successResultOf(each))
        self.assertEqual([DOMAIN], self.fetched)

    def test_no_store(self) -> None:
        """Without the store policies are found all the same."""
        self.store.broken = True
        self.start()
        self.assertEqual(POLICY, self.found())
