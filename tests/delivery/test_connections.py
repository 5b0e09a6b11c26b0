"""Messages over kept connections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from attrs import evolve
from twisted.internet.defer import Deferred
from twisted.trial.unittest import SynchronousTestCase
from zope.interface.verify import verifyObject

from smtpeter.delivery.carrier import Carried, ICarrier
from smtpeter.delivery.connecting import Connecting
from smtpeter.delivery.connections import ConnectionLimits, SmtpCarrier
from smtpeter.delivery.receivers import Receiver
from smtpeter.delivery.resolver import MailExchanger
from smtpeter.delivery.route import Unroutable, Way
from smtpeter.delivery.security.demands import Demands
from smtpeter.delivery.security.stspolicy import StsMode, StsPolicy
from smtpeter.delivery.tls import TlsPolicies, TlsPolicy
from smtpeter.message.outcome import Outcome, Verdict
from smtpeter.smtp.client import SmtpClient
from tests.delivery.house import FakeLimits
from tests.delivery.internet import Internet
from tests.smtp.mailhost import MailHost
from tests.smtp.outbound import CONTENT, ONE, TWO

ADDRESS, SECOND = "192.0.2.1", "192.0.2.2"


def way(destination: str) -> Way:
    """To an address, as if it were a receiver."""
    if destination == "nowhere":
        failed = Unroutable(Verdict.FAILED, "5.1.2", "nowhere does not exist")
        return Way(destination, destination, (), failed.outcome)
    return Way(destination, destination, (MailExchanger(0, destination),))


class Direct:
    """A route that takes addresses for receivers."""

    port = 25

    def destination_of(self, domain_key: str) -> str:
        return f"to {domain_key}"

    async def way_to(self, destination: str) -> Way:
        return way(destination)

    def hosts(self, way: Way) -> Sequence[str]:
        if way.destination == "crash":
            raise ZeroDivisionError
        return [way.destination]

    async def addresses(self, host: str) -> Sequence[str]:
        return (host,)


class CarrierCase(SynchronousTestCase):
    """A carrier, and a mail host at one address."""

    def setUp(self) -> None:
        self.internet = Internet()
        self.answers()
        self.use()

    def use(
        self, *, messages_per_connection: int = 1000, connections: int = 20, **limits: Any
    ) -> None:
        """A carrier with these limits."""
        self.limits = FakeLimits(connections, messages_per_connection=messages_per_connection)
        self.receivers: dict[str, Receiver] = {}
        reactor = self.internet.reactor
        tls = TlsPolicies(TlsPolicy.NONE, reactor)
        self.connecting = Connecting(reactor, "mail.shop.example", tls)
        self.carrier = SmtpCarrier(
            Direct(),
            self.connecting,
            reactor,
            evolve(ConnectionLimits(), **limits),
        )

    def answers(self, replies: Mapping[str, str] | None = None, address: str = ADDRESS) -> None:
        self.internet.hosts[address] = lambda: MailHost(replies)

    def receiver(self, name: str = ADDRESS) -> Receiver:
        """The receiver at an address, or whom it was given to."""
        if name not in self.receivers:
            self.receivers[name] = Receiver(name, "", self.limits, 0.0)
        return self.receivers[name]

    def carry(self, receiver: str = ADDRESS) -> Deferred[Carried]:
        """One message that is on its way."""
        carrying = self.carrier.carry(way(receiver), self.receiver(receiver), ONE, CONTENT, "id")
        self.internet.run()
        return carrying

    def carried(self, receiver: str = ADDRESS) -> Carried:
        """One message that is through at once, and not released."""
        return self.successResultOf(self.carry(receiver))

    def deliver(self, receiver: str = ADDRESS) -> Outcome:
        """One message that is through at once, and released."""
        carried = self.carried(receiver)
        carried.release()
        self.internet.run()
        (outcome,) = carried.outcomes
        return outcome

    @property
    def mail_hosts(self) -> list[MailHost]:
        """The far end of each connection, in the order in which they came about."""
        return [host for _, host in self.internet.connections]


class ReuseTests(CarrierCase):
    """Connections that serve again."""

    def test_interface(self) -> None:
        """It is a carrier, and asks its route for receivers."""
        self.assertTrue(verifyObject(ICarrier, self.carrier))
        self.assertEqual("to mailbox.example", self.carrier.destination_of("mailbox.example"))

    def test_kept(self) -> None:
        """Messages that follow one another share a connection."""
        for _ in range(3):
            self.assertEqual(Verdict.DELIVERED, self.deliver().verdict)
        self.assertEqual([3], [len(host.messages) for host in self.mail_hosts])

    def test_other_demands(self) -> None:
        """Mail of a domain that demands more gets a connection of its own."""
        self.deliver()
        mx = (ADDRESS,)
        for mode, connections in ((StsMode.ENFORCE, 2), (StsMode.ENFORCE, 2), (StsMode.TESTING, 2)):
            demands = Demands(sts=StsPolicy(mode, mx, 86_400))
            carrying = self.carrier.carry(
                evolve(way(ADDRESS), demands=demands), self.receiver(), ONE, CONTENT, "id"
            )
            self.internet.run()
            self.successResultOf(carrying).release()
            self.assertEqual(connections, len(self.mail_hosts))

    def test_for_one_domain(self) -> None:
        """A connection that is good for one domain alone is not kept."""
        opened: list[SmtpClient] = []
        connect = self.connecting.connect

        async def connect_for_one(*asked: Any) -> SmtpClient:
            client = await connect(*asked)
            client.for_one_domain = not opened
            opened.append(client)
            return client

        self.patch(self.connecting, "connect", connect_for_one)
        for connections in (1, 2, 2):
            self.deliver()
            self.assertEqual(connections, len(self.mail_hosts))

    def test_not_before_release(self) -> None:
        """Until its outcome is recorded, a connection is not used for another message."""
        first = self.carried()
        self.carried().release()
        self.assertEqual(2, len(self.mail_hosts))
        first.release()
        self.deliver()
        self.assertEqual(2, len(self.mail_hosts))

    def test_released_twice(self) -> None:
        """A connection that is released twice is given out once."""
        first = self.carried()
        first.release()
        first.release()
        self.carried()
        self.carried()
        self.assertEqual(2, len(self.mail_hosts))

    def test_no_turn_of_the_reactor(self) -> None:
        """With an idle connection the first command is written at once."""
        self.deliver()
        self.carrier.carry(way(ADDRESS), self.receiver(), ONE, CONTENT, "id")
        (pump,) = self.internet.pumps
        self.assertIn(b"MAIL FROM", b"".join(pump.clientIO.stream))

    def test_number_of_messages(self) -> None:
        """After its number of messages a connection is closed with QUIT."""
        self.use(messages_per_connection=2)
        for _ in range(3):
            self.deliver()
        self.assertEqual([2, 1], [len(host.messages) for host in self.mail_hosts])
        self.assertEqual("QUIT", self.mail_hosts[0].verbs[-1])

    def test_idle_time(self) -> None:
        """A connection that is idle for too long is closed with QUIT."""
        self.deliver()
        self.internet.pass_seconds(29)
        self.assertNotIn("QUIT", self.mail_hosts[0].verbs)
        self.internet.pass_seconds(1)
        self.assertEqual("QUIT", self.mail_hosts[0].verbs[-1])
        self.deliver()
        self.assertEqual(2, len(self.mail_hosts))

    def test_total(self) -> None:
        """For a new connection beyond the total, the one that is idle longest is closed."""
        self.use(total=2)
        self.answers(address=SECOND)
        self.answers(address="192.0.2.3")
        for receiver in (ADDRESS, SECOND, "192.0.2.3"):
            self.deliver(receiver)
        self.assertEqual([True, False, False], ["QUIT" in host.verbs for host in self.mail_hosts])

    def test_total_with_those_to_come(self) -> None:
        """Connections that are being made count as well."""
        self.use(total=2)
        self.deliver()
        self.internet.hosts[SECOND] = self.internet.hosts["192.0.2.3"] = None
        self.carry(SECOND)
        self.assertNotIn("QUIT", self.mail_hosts[0].verbs)
        self.carry("192.0.2.3")
        self.assertEqual("QUIT", self.mail_hosts[0].verbs[-1])

    def test_fewer_connections(self) -> None:
        """Connections beyond those that a receiver may have are closed after their message."""
        trips = [self.carried() for _ in range(3)]
        self.receiver().limit(FakeLimits(connections=1), 0.0)
        for trip in trips:
            trip.release()
        self.internet.run()
        self.assertEqual(2, sum("QUIT" in host.verbs for host in self.mail_hosts))

    def test_other_hosts_of_the_receiver(self) -> None:
        """A connection to other hosts takes the place of an idle one of the same receiver."""
        self.use(connections=1)
        self.answers(address=SECOND)
        self.receivers[SECOND] = self.receiver()
        self.deliver(ADDRESS)
        self.deliver(SECOND)
        self.assertEqual([True, False], ["QUIT" in host.verbs for host in self.mail_hosts])

    def test_learns_how_many(self) -> None:
        """A receiver that ends connections after so many messages gets no more over one."""
        self.ends_after_three()
        self.ends_after_three()
        for _ in range(3):
            self.deliver()
        self.assertEqual([3, 3, 3, 1], [len(host.messages) for host in self.mail_hosts])
        self.assertEqual("QUIT", self.mail_hosts[2].verbs[-1])

    def ends_after_three(self) -> None:
        """Deliver four messages, the last of which finds that its connection is at its end."""
        for _ in range(3 - len(self.mail_hosts[-1].messages) if self.mail_hosts else 3):
            self.deliver()
        self.mail_hosts[-1].replies["MAIL"] = "421 4.7.0 enough for this connection"
        self.deliver()

    def test_not_about_the_connection(self) -> None:
        """When a new connection is told the same, it is not the old one that is used up."""
        for _ in range(2):
            self.answers()
            for _ in range(3):
                self.deliver()
            self.mail_hosts[-1].replies["MAIL"] = "421 4.7.0 slow down"
            self.answers({"MAIL": "421 4.7.0 slow down"})
            self.assertEqual(421, self.deliver().code)
        self.assertFalse(self.receiver().connection_used_up(3))

    def test_receiver_that_was_forgotten(self) -> None:
        """A receiver of the same name has the connections that are open."""
        self.use(connections=1)
        self.deliver()
        for _ in range(3):
            self.receivers.clear()
            self.deliver()
        self.assertEqual([4], [len(host.messages) for host in self.mail_hosts])
        held = self.carried()
        self.receivers.clear()
        self.deliver()
        held.release()
        self.carrier.idle_close()
        self.internet.run()
        self.assertEqual(0, self.carrier._open.total())
        self.assertEqual({}, dict(self.carrier._open))

    def test_receivers_at_the_same_hosts(self) -> None:
        """Each keeps its connections for itself, and no more than it may have."""
        shared = Receiver("a.example", "", FakeLimits(1), 0.0)
        for name in ("a.example", "b.example", "a.example"):
            own = shared if name == shared.name else Receiver(name, "", FakeLimits(1), 0.0)
            self.receivers[ADDRESS] = own
            self.deliver()
        self.assertEqual([2, 1], [len(host.messages) for host in self.mail_hosts])

    def test_idle_close(self) -> None:
        """All idle connections can be closed at once."""
        self.deliver()
        self.carrier.idle_close()
        self.internet.run()
        self.assertEqual("QUIT", self.mail_hosts[0].verbs[-1])

    def test_after_a_refusal(self) -> None:
        """A connection serves again after a message that was refused."""
        self.answers({"RCPT": "550 5.1.1 unknown"})
        told = [(outcome.verdict, outcome.state) for outcome in (self.deliver(), self.deliver())]
        self.assertEqual([(Verdict.FAILED, "rcptto")] * 2, told)
        self.assertEqual(1, len(self.mail_hosts))


class StaleTests(CarrierCase):
    """Connections that are closed by the other side."""

    def test_closed_while_idle(self) -> None:
        """A connection that the server closed while it was idle is not used."""
        self.deliver()
        self.mail_hosts[0].transport.loseConnection()  # type: ignore[union-attr]
        self.internet.run()
        self.assertEqual(Verdict.DELIVERED, self.deliver().verdict)
        self.assertEqual(2, len(self.mail_hosts))

    def test_dead_at_mail(self) -> None:
        """A message that finds a kept connection dead goes over a new one, once."""
        for words in ("hangup", "421 idle too long"):
            self.setUp()
            self.deliver()
            self.mail_hosts[0].replies["MAIL"] = words
            self.assertEqual(Verdict.DELIVERED, self.deliver().verdict)
            self.assertEqual(["", "EHLO", "MAIL", "RCPT", "DATA", "."], self.mail_hosts[1].verbs)

    def test_reset_refused(self) -> None:
        """The same holds for a connection that refuses RSET."""
        self.answers({"RCPT": "550 no"})
        self.deliver()
        self.mail_hosts[0].replies["RSET"] = "502 what?"
        self.answers()
        self.assertEqual(Verdict.DELIVERED, self.deliver().verdict)

    def test_new_connection_dead_at_mail(self) -> None:
        """A new connection that dies at MAIL is an outcome, not a reason to try for ever."""
        self.answers({"MAIL": "hangup"})
        outcome = self.deliver()
        self.assertEqual(("lost", "mailfrom"), (outcome.type, outcome.state))
        self.assertEqual(1, len(self.mail_hosts))

    def test_dead_after_mail(self) -> None:
        """A kept connection that dies later is an outcome."""
        self.deliver()
        self.mail_hosts[0].replies["."] = "hangup"
        outcome = self.deliver()
        self.assertEqual((Verdict.DEFERRED, "message"), (outcome.verdict, outcome.state))
        self.assertEqual(1, len(self.mail_hosts))


class FailureTests(CarrierCase):
    """Messages that do not get anywhere."""

    def test_no_route(self) -> None:
        """Each recipient is told why there is no host."""
        there = self.receiver("nowhere")
        carrying = self.carrier.carry(way("nowhere"), there, TWO, CONTENT, "id")
        carried = self.successResultOf(carrying)
        self.assertEqual(["5.1.2"] * 2, [outcome.status for outcome in carried.outcomes])
        carried.release()

    def test_no_connection(self) -> None:
        """Each recipient is told why there is no connection."""
        outcome = self.deliver("192.0.2.99")
        self.assertEqual((Verdict.DEFERRED, "connect"), (outcome.verdict, outcome.state))

    def test_fault_of_ours(self) -> None:
        """A fault in our own code delays the message, and is logged."""
        outcome = self.deliver("crash")
        self.assertEqual((Verdict.DEFERRED, "process"), (outcome.verdict, outcome.state))
        self.assertEqual(1, len(self.flushLoggedErrors(ZeroDivisionError)))


class ShutdownTests(CarrierCase):
    """The end of the service."""

    def test_idle(self) -> None:
        """Idle connections are closed with QUIT, and then it is over."""
        self.deliver()
        gone = self.carrier.shutdown()
        self.assertNoResult(gone)
        self.internet.run()
        self.successResultOf(gone)
        self.assertEqual("QUIT", self.mail_hosts[0].verbs[-1])
        self.assertEqual([], self.internet.reactor.getDelayedCalls())

    def test_nothing(self) -> None:
        """Without connections it is over at once."""
        self.successResultOf(self.carrier.shutdown())

    def test_under_way(self) -> None:
        """A message under way is brought to its end, recorded, and its connection closed."""
        self.answers({".": "silence"})
        carrying = self.carry()
        gone = self.carrier.shutdown()
        self.internet.pass_seconds(19)
        self.assertNoResult(gone)
        self.mail_hosts[0].transport.write(b"250 ok\r\n")  # type: ignore[union-attr]
        self.internet.run()
        carried = self.successResultOf(carrying)
        self.assertEqual(Verdict.DELIVERED, carried.outcomes[0].verdict)
        carried.release()
        self.internet.run()
        self.successResultOf(gone)
        self.assertEqual("QUIT", self.mail_hosts[0].verbs[-1])

    def test_no_grace_left(self) -> None:
        """After the time of grace a message under way is given up for now."""
        for replies in ({".": "silence"}, {"": "silence"}, {"QUIT": "silence", ".": "silence"}):
            self.setUp()
            self.answers(replies)
            carrying = self.carry()
            gone = self.carrier.shutdown()
            self.internet.pass_seconds(20)
            self.successResultOf(gone)
            (outcome,) = self.successResultOf(carrying).outcomes
            self.assertEqual(Verdict.DEFERRED, outcome.verdict)

    def test_connecting(self) -> None:
        """So is a message whose connection has not come about."""
        self.internet.hosts[ADDRESS] = None
        carrying = self.carry()
        gone = self.carrier.shutdown()
        self.internet.pass_seconds(20)
        self.successResultOf(gone)
        (outcome,) = self.successResultOf(carrying).outcomes
        self.assertEqual(Verdict.DEFERRED, outcome.verdict)

    def test_afterwards(self) -> None:
        """What is to be carried afterwards waits for the next start."""
        self.carrier.shutdown()
        outcome = self.deliver()
        self.assertEqual((Verdict.DEFERRED, "4.3.2"), (outcome.verdict, outcome.status))
        self.assertEqual([], self.mail_hosts)
