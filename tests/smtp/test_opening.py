"""From the greeting to the first MAIL."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from attrs import evolve
from OpenSSL import SSL
from twisted.internet.ssl import optionsForClientTLS
from twisted.internet.task import Clock
from twisted.internet.testing import StringTransport
from twisted.python.failure import Failure
from twisted.test.iosim import IOPump, connect
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.delivery.security.handshakes import UnverifiedTls
from smtpeter.message.outcome import Verdict
from smtpeter.smtp.client import SmtpClient
from smtpeter.smtp.opening import ClientSettings, ConnectFailed, Credentials, Encryption
from tests.smtp.mailhost import STARTTLS_OFFERED, MailHost
from tests.smtp.outbound import CONTENT, ONE, SETTINGS, Remote, Sending
from tests.tlspipes import NAME, TlsTransport, authority

OPPORTUNISTIC = Encryption(UnverifiedTls(SSL.Context(SSL.TLS_METHOD), NAME), required=False)
REQUIRED = evolve(OPPORTUNISTIC, required=True)
VERIFIED = Encryption(optionsForClientTLS(NAME, trustRoot=authority()), required=True)
LOGIN = Credentials("ria", "p w=d")


class Told:
    """A proof that comes out as a test tells it."""

    def __init__(self, *, proved: bool = False, objection: str = "", later: str = "") -> None:
        self.proved = proved
        self.objection = objection
        self.later = later
        self.examined: list[SSL.Connection] = []

    def examine(self, connection: SSL.Connection) -> None:
        """What was to be objected to is found out now."""
        self.examined.append(connection)
        self.objection = self.objection or self.later


def base64(text: str) -> str:
    return b64encode(text.encode()).decode()


class HelloTests(SynchronousTestCase):
    """Greeting, EHLO, HELO."""

    def test_greeting_and_ehlo(self) -> None:
        """The client waits for the greeting, says its name, and is ready."""
        remote = Remote()
        self.assertEqual(b"", remote.heard())
        remote.says("220-mx.mailbox.example", "220 welcome")
        self.assertEqual(b"EHLO client.example\r\n", remote.heard())
        self.assertFalse(remote.client.usable)
        remote.offers("PIPELINING")
        self.assertEqual([remote.client], remote.ready)
        self.assertTrue(remote.client.usable)

    def test_greeting_refuses(self) -> None:
        """A 4yz greeting is temporary, a 5yz permanent; the connection is closed."""
        for line, verdict in (("450 busy", Verdict.DEFERRED), ("554 no mail", Verdict.FAILED)):
            remote = Remote()
            remote.says(line)
            outcome = remote.failure.outcome
            self.assertEqual((verdict, "intro"), (outcome.verdict, outcome.state))
            self.assertEqual("mx.mailbox.example", outcome.host)
            self.assertEqual(("10.0.0.1", "192.168.1.1"),
                             (outcome.local_address, outcome.remote_address))  # fmt: skip
            self.assertTrue(remote.transport.disconnected)

    def test_not_smtp(self) -> None:
        """A server of another kind is told apart."""
        remote = Remote()
        remote.says("HTTP/1.1 400 Bad Request")
        outcome = remote.failure.outcome
        self.assertEqual(("invalid", "intro"), (outcome.type, outcome.state))

    def test_helo(self) -> None:
        """A server that does not know EHLO is greeted with HELO; it offers nothing."""
        remote = Remote()
        remote.says("220 hi")
        remote.says("502 what?")
        self.assertIn(b"HELO client.example\r\n", remote.heard())
        remote.says("250 PIPELINING")
        Sending(remote)
        self.assertEqual(b"MAIL FROM:<ria@shop.example>\r\n", remote.heard())

    def test_helo_refused(self) -> None:
        """When HELO is refused too, that is the outcome."""
        remote = Remote()
        for line in ("220 hi", "502 what?", "550 5.7.1 go away"):
            remote.says(line)
        outcome = remote.failure.outcome
        self.assertEqual(("helo", 550, "5.7.1"), (outcome.state, outcome.code, outcome.status))

    def test_ehlo_needed(self) -> None:
        """Where TLS or a login is needed there is no HELO."""
        for settings in (
            evolve(SETTINGS, encryption=REQUIRED),
            evolve(SETTINGS, credentials=LOGIN, auth_in_clear=True),
        ):
            remote = Remote(settings)
            remote.says("220 hi")
            remote.says("502 what?")
            self.assertEqual("ehlo", remote.failure.outcome.state)
            self.assertNotIn(b"HELO", remote.heard())

    def test_ehlo_busy(self) -> None:
        """A temporary refusal of EHLO is no reason for HELO."""
        remote = Remote()
        remote.says("220 hi")
        remote.says("451 later")
        self.assertEqual(Verdict.DEFERRED, remote.failure.outcome.verdict)


class StartTlsTests(SynchronousTestCase):
    """STARTTLS, up to the handshake."""

    def test_keyword_in_any_case(self) -> None:
        """STARTTLS is seen in small letters."""
        remote = Remote.greeted("starttls", settings=evolve(SETTINGS, encryption=OPPORTUNISTIC))
        self.assertEqual([], remote.ready)

    def test_only_in_the_first_line(self) -> None:
        """A server whose name is STARTTLS does not offer it."""
        remote = Remote(evolve(SETTINGS, encryption=OPPORTUNISTIC))
        remote.says("220 hi")
        remote.says("250 STARTTLS")
        self.assertEqual([remote.client], remote.ready)

    def test_refused(self) -> None:
        """Where TLS is only welcome, a refused STARTTLS is passed over."""
        for line in ("454 not now", "502 what?"):
            remote = Remote.greeted("STARTTLS", settings=evolve(SETTINGS, encryption=OPPORTUNISTIC))
            remote.says(line)
            self.assertEqual([remote.client], remote.ready)
            self.assertEqual("", remote.client.peer.tls)

    def test_required_and_refused(self) -> None:
        """Where TLS is required, a refused STARTTLS is a temporary end."""
        for line in ("454 not now", "502 what?"):
            remote = Remote.greeted("STARTTLS", settings=evolve(SETTINGS, encryption=REQUIRED))
            remote.says(line)
            outcome = remote.failure.outcome
            self.assertEqual((Verdict.DEFERRED, "starttls"), (outcome.verdict, outcome.state))

    def test_required_and_not_offered(self) -> None:
        """Where TLS is required, a server that does not offer it gets no mail for now."""
        remote = Remote.greeted(settings=evolve(SETTINGS, encryption=REQUIRED))
        outcome = remote.failure.outcome
        self.assertEqual((Verdict.DEFERRED, "starttls"), (outcome.verdict, outcome.state))
        self.assertFalse(remote.failure.tls_failed)

    def test_not_wanted(self) -> None:
        """Without a policy for it, TLS is left alone."""
        remote = Remote.greeted("STARTTLS")
        self.assertEqual([remote.client], remote.ready)


class ClearTextAfterStartTlsTests(SynchronousTestCase):
    """Replies that somebody slipped in before TLS."""

    def test_connection_closed(self) -> None:
        """Anything behind the 220 to STARTTLS ends the connection as a failure of TLS."""
        for rest in (["250-evil", "250 AUTH PLAIN"], ["2"]):
            remote = Remote.greeted("STARTTLS", settings=evolve(SETTINGS, encryption=OPPORTUNISTIC))
            remote.heard()
            remote.says("220 go", *rest)
            self.assertEqual("starttls", remote.failure.outcome.state)
            self.assertTrue(remote.failure.tls_failed)
            self.assertEqual(b"", remote.heard())
            self.assertTrue(remote.transport.disconnected)


class LoginTests(SynchronousTestCase):
    """AUTH."""

    in_clear = evolve(SETTINGS, credentials=LOGIN, auth_in_clear=True)

    def test_plain(self) -> None:
        """PLAIN is preferred, with an initial response and without authorization identity."""
        remote = Remote.greeted("AUTH LOGIN PLAIN CRAM-MD5", settings=self.in_clear)
        remote.says("235 welcome")
        self.assertEqual([remote.client], remote.ready)

    def test_plain_on_the_wire(self) -> None:
        """The initial response of PLAIN holds NUL, user name, NUL, password."""
        remote = Remote(self.in_clear)
        remote.says("220 hi")
        remote.heard()
        remote.offers("AUTH LOGIN PLAIN")
        self.assertEqual(f"AUTH PLAIN {base64(chr(0) + 'ria' + chr(0) + 'p w=d')}\r\n".encode(),
                         remote.heard())  # fmt: skip

    def test_plain_without_initial_response(self) -> None:
        """A server that passes over the initial response is given it again."""
        remote = Remote.greeted("AUTH PLAIN", settings=self.in_clear)
        remote.says("334 ")
        self.assertEqual(f"{LOGIN.plain()}\r\n".encode(), remote.heard())
        remote.says("235 welcome")
        self.assertEqual([remote.client], remote.ready)

    def test_login(self) -> None:
        """LOGIN is used where PLAIN is not offered, in the old spelling of AUTH too."""
        remote = Remote(self.in_clear)
        remote.says("220 hi")
        remote.heard()
        remote.offers("AUTH=LOGIN")
        heard = [remote.heard()]
        for reply in ("334 VXNlcm5hbWU6", "334 UGFzc3dvcmQ6", "235 welcome"):
            remote.says(reply)
            heard.append(remote.heard())
        expected = [b"AUTH LOGIN\r\n", b"cmlh\r\n", b"cCB3PWQ=\r\n", b""]
        self.assertEqual(expected, heard)
        self.assertEqual([remote.client], remote.ready)

    def test_refused_once(self) -> None:
        """A wrong password is tried once; it delays mail and does not bounce it."""
        for offer, state, replies in (
            ("AUTH PLAIN LOGIN", "authplain", ["535 5.7.8 wrong"]),
            ("AUTH LOGIN", "authlogin", ["334 x", "334 x", "535 5.7.8 wrong"]),
            ("AUTH LOGIN", "authlogin", ["504 5.7.8 no"]),
        ):
            remote = Remote.greeted(offer, settings=self.in_clear)
            for reply in replies:
                remote.says(reply)
            outcome = remote.failure.outcome
            self.assertEqual(
                (Verdict.DEFERRED, state, "5.7.8"), (outcome.verdict, outcome.state, outcome.status)
            )
            self.assertTrue(remote.transport.disconnected)

    def test_not_in_clear_text(self) -> None:
        """Without TLS no credentials are sent."""
        remote = Remote.greeted("AUTH PLAIN", settings=evolve(SETTINGS, credentials=LOGIN))
        self.assertEqual("authplain", remote.failure.outcome.state)
        self.assertEqual(b"", remote.heard())

    def test_nothing_in_common(self) -> None:
        """A server with neither PLAIN nor LOGIN gets no mail for now."""
        remote = Remote.greeted("AUTH CRAM-MD5", settings=self.in_clear)
        outcome = remote.failure.outcome
        self.assertEqual((Verdict.DEFERRED, "authplain"), (outcome.verdict, outcome.state))


class SecretTests(SynchronousTestCase):
    """Passwords stay out of what is told and logged."""

    secrets = (LOGIN.password, LOGIN.plain(), *LOGIN.login())

    def assert_no_secret(self, text: str) -> None:
        """None of the forms in which the password travels is in a text."""
        for secret in self.secrets:
            self.assertNotIn(secret, text)

    def test_echoed(self) -> None:
        """A server that echoes the login, as a reply or as anything else, tells nobody."""
        for answer in ("535 what is {}?", "500-{}", "421 {} bye", "{}", "xx" * 26 + "{}"):
            settings = evolve(SETTINGS, credentials=LOGIN, auth_in_clear=True)
            remote = Remote.greeted("AUTH PLAIN", settings=settings)
            remote.says(answer.format(LOGIN.plain()), "500 x")
            failure = remote.failure
            self.assert_no_secret(f"{failure} {failure.outcome!r} {remote.ready}")
            self.assertNotIn(LOGIN.plain()[:8], failure.outcome.text)

    def test_shown(self) -> None:
        """Settings show no password."""
        self.assert_no_secret(repr(evolve(SETTINGS, credentials=LOGIN)))


class TlsTests(SynchronousTestCase):
    """STARTTLS with a real handshake."""

    def connected(
        self, encryption: Encryption, host: MailHost | None = None, **more: Any
    ) -> tuple[SmtpClient, MailHost, IOPump, list[Any]]:
        """A client and a server that have talked until nothing more is to be said."""
        self.clock = Clock()
        settings = ClientSettings("client.example", NAME, encryption=encryption, **more)
        client = SmtpClient(settings, self.clock)
        ready: list[Any] = []
        client.ready.addBoth(ready.append)
        server = host or MailHost(STARTTLS_OFFERED)
        pump = connect(
            server,
            TlsTransport(server, self.clock, is_server=True),
            client,
            TlsTransport(client, self.clock, is_server=False),
            clock=self.clock,
        )
        pump.flush()
        return client, server, pump, ready

    def test_encrypted(self) -> None:
        """EHLO is said again inside TLS, and outcomes name protocol and cipher."""
        client, server, pump, ready = self.connected(OPPORTUNISTIC)
        self.assertEqual([client], ready)
        self.assertEqual(["", "EHLO", "STARTTLS", "EHLO"], server.verbs)
        sent = client.send(ONE, CONTENT)
        pump.flush()
        (outcome,) = self.successResultOf(sent)
        self.assertRegex(outcome.tls, r"\ATLSv1\.3 TLS_\w+\Z")
        self.assertEqual([b"Subject: x\r\n\r\n..dot\r\n"], server.messages)

    def test_verified(self) -> None:
        """A server that has proved what it had to is noted as verified."""
        for proof in (Told(proved=True), Told(proved=False)):
            client, _, _, ready = self.connected(evolve(VERIFIED, proof=proof))
            self.assertEqual([client], ready)
            self.assertEqual(1, len(proof.examined))
            self.assertEqual(proof.proved, client.peer.tls.endswith(" verified"))

    def failed(self, encryption: Encryption) -> ConnectFailed:
        """Why nothing has come of a connection."""
        *_, (failure,) = self.connected(encryption)
        assert isinstance(failure, Failure)
        error = failure.value
        assert isinstance(error, ConnectFailed)
        self.assertEqual(("starttls", True), (error.outcome.state, error.tls_failed))
        self.assertEqual(Verdict.DEFERRED, error.outcome.verdict)
        return error

    def test_objection(self) -> None:
        """A server that is objected to after the handshake hears nothing more."""
        encryption = evolve(REQUIRED, proof=Told(later="it is another"))
        self.assertEqual("it is another", self.failed(encryption).outcome.text)
        _, server, _, _ = self.connected(encryption)
        self.assertEqual(["", "EHLO", "STARTTLS"], server.verbs)

    def test_left(self) -> None:
        """When the handshake ends over it, what was objected to is told."""
        for creator in (
            optionsForClientTLS(NAME),
            optionsForClientTLS("other.example", trustRoot=authority()),
        ):
            self.failed(evolve(VERIFIED, creator=creator))
            proof = Told(objection="it is another")
            error = self.failed(evolve(VERIFIED, creator=creator, proof=proof))
            self.assertEqual(("it is another", "4.7.5"), (error.outcome.text, error.outcome.status))

    def test_capabilities_of_clear_text_are_forgotten(self) -> None:
        """What was offered before TLS is not believed inside it."""

        class Changing(MailHost):
            """Offers PIPELINING only in clear text."""

            def _start_tls(self) -> None:
                super()._start_tls()
                self.replies["EHLO"] = "250 mx.mailbox.example"

        client, server, pump, _ = self.connected(OPPORTUNISTIC, Changing(STARTTLS_OFFERED))
        server.replies["MAIL"] = "silence"
        client.send(ONE, CONTENT)
        pump.flush()
        self.assertEqual("MAIL", server.verbs[-1])

    def test_ehlo_needed_inside(self) -> None:
        """There is no HELO inside TLS."""

        class Changing(MailHost):
            """Knows EHLO only in clear text."""

            def _start_tls(self) -> None:
                super()._start_tls()
                self.replies["EHLO"] = "502 what?"

        *_, (failure,) = self.connected(OPPORTUNISTIC, Changing(STARTTLS_OFFERED))
        self.assertEqual("ehlo", failure.value.outcome.state)

    def test_broken_handshake(self) -> None:
        """A server that does not speak TLS after all is reported as a failure of TLS."""

        class Confused(MailHost):
            """Goes on in clear text."""

            def _start_tls(self) -> None:
                self.replies = dict.fromkeys(self.replies, "500 what?")

            def dataReceived(self, data: bytes) -> None:
                super().dataReceived(data)
                if data.startswith(b"\x16"):
                    self._answer("TLS")

        *_, (failure,) = self.connected(OPPORTUNISTIC, Confused(STARTTLS_OFFERED))
        self.assertTrue(failure.value.tls_failed)

    def test_stalled_handshake(self) -> None:
        """A handshake that does not end in time is a failure of TLS."""

        class Stalled(MailHost):
            """Says nothing any more."""

            def _start_tls(self) -> None:
                self.replies = dict.fromkeys(self.replies, "silence")

        _, _, pump, ready = self.connected(OPPORTUNISTIC, Stalled(STARTTLS_OFFERED))
        self.assertEqual([], ready)
        self.clock.advance(30)
        pump.flush()
        (failure,) = ready
        self.assertTrue(failure.value.tls_failed)
        self.assertEqual("timeout", failure.value.outcome.type)

    def test_hang_up_after_handshake(self) -> None:
        """A server that hangs up before its first reply inside TLS has a problem with TLS."""

        class Leaving(MailHost):
            """Hangs up inside TLS."""

            def _start_tls(self) -> None:
                super()._start_tls()
                self.replies["EHLO"] = "hangup"

        *_, (failure,) = self.connected(OPPORTUNISTIC, Leaving(STARTTLS_OFFERED))
        self.assertTrue(failure.value.tls_failed)
        self.assertEqual("ehlo", failure.value.outcome.state)

    def test_implicit(self) -> None:
        """With implicit TLS the greeting comes inside it, and STARTTLS is not used."""
        server = MailHost(STARTTLS_OFFERED, implicit_tls=True)
        client, _, _, ready = self.connected(evolve(REQUIRED, implicit=True), server)
        self.assertEqual([client], ready)
        self.assertEqual(["", "EHLO"], server.verbs)
        self.assertNotEqual("", client.peer.tls)

    def test_login_inside(self) -> None:
        """Credentials are sent inside TLS."""
        ehlo = "250-mx.mailbox.example\r\n250-STARTTLS\r\n250 AUTH PLAIN"
        client, server, _, ready = self.connected(
            OPPORTUNISTIC, MailHost({"EHLO": ehlo}), credentials=LOGIN
        )
        self.assertEqual([client], ready)
        self.assertEqual(["", "EHLO", "STARTTLS", "EHLO", "AUTH"], server.verbs)

    def test_quit(self) -> None:
        """A connection inside TLS ends with QUIT and is gone."""
        client, server, pump, _ = self.connected(OPPORTUNISTIC)
        gone = client.quit()
        pump.flush()
        self.assertEqual("QUIT", server.verbs[-1])
        self.successResultOf(gone)

    def test_cannot_be_started(self) -> None:
        """TLS that cannot even be started ends the connection, and the log tells why."""

        class Failing(StringTransport):
            """Knows no TLS."""

            def startTLS(self, creator: object) -> None:
                raise SSL.Error(creator)

        client = SmtpClient(evolve(SETTINGS, encryption=OPPORTUNISTIC), Clock())
        client.makeConnection(Failing())
        client.dataReceived(b"220 hi\r\n")
        client.dataReceived(b"250-x\r\n250 STARTTLS\r\n")
        client.dataReceived(b"220 go\r\n")
        error = self.failureResultOf(client.ready, ConnectFailed).value
        self.assertTrue(error.tls_failed)
        self.assertEqual(1, len(self.flushLoggedErrors(SSL.Error)))


class NoDelayTests(SynchronousTestCase):
    """The socket."""

    def test_nodelay(self) -> None:
        """Commands do not wait for acknowledgements of what was sent before."""
        asked: list[bool] = []

        class Socket(TlsTransport):
            """Notes what is asked of it."""

            def setTcpNoDelay(self, enabled: bool) -> None:  # noqa: FBT001
                asked.append(enabled)

        client = SmtpClient(SETTINGS, Clock())
        client.makeConnection(Socket(client, Clock(), is_server=False))
        self.assertEqual([True], asked)
        client.abort()
        self.failureResultOf(client.ready, ConnectFailed)

    def test_other_transports(self) -> None:
        """A transport without that option will do."""
        client = SmtpClient(SETTINGS, Clock())
        client.makeConnection(StringTransport())
        self.assertNoResult(client.ready)
