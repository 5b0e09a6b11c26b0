import errno
import socket
from unittest.mock import patch

from twisted.internet.protocol import Factory, Protocol
from twisted.internet.testing import MemoryReactor
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.config import ConfigError
from smtpeter.ports import PortService, claim
from smtpeter.units import Endpoint

PORT = Endpoint("127.0.0.1", 2525)


class ClaimTests(SynchronousTestCase):
    """What is said about ports that cannot be had."""

    def refusal(self, number: int) -> str:
        error = OSError(number, "whatever")
        with patch.object(socket, "socket") as made:
            made.return_value.bind.side_effect = error
            text = str(self.assertRaises(ConfigError, claim, PORT, "smtp.starttls"))
            made.return_value.close.assert_called_once_with()
        return text

    def test_taken(self) -> None:
        """A port that is taken is named together with the key that lists it."""
        self.assertEqual(
            "smtp.starttls: port 2525 on 127.0.0.1 is taken by another program",
            self.refusal(errno.EADDRINUSE),
        )

    def test_privileged(self) -> None:
        """A port that needs privileges says so."""
        self.assertIn("is reserved for the system", self.refusal(errno.EACCES))

    def test_foreign_address(self) -> None:
        """An address of another machine says so."""
        self.assertIn("does not have that address", self.refusal(errno.EADDRNOTAVAIL))

    def test_other_reasons(self) -> None:
        """Any other reason is the system's own words."""
        self.assertIn("cannot be had: Too many open files", self.refusal(errno.EMFILE))

    def test_no_ipv6(self) -> None:
        """A machine that has no IPv6 says so when asked for an IPv6 port."""
        with patch.object(socket, "socket", side_effect=OSError(errno.EAFNOSUPPORT, "")):
            error = self.assertRaises(ConfigError, claim, Endpoint("::1", 25), "smtp.starttls")
        self.assertIn("port 25 on ::1 cannot be had", str(error))

    def test_families_apart(self) -> None:
        """An IPv6 port leaves the same IPv4 port to others."""
        with patch.object(socket, "socket") as made:
            claim(Endpoint("::", 25), "smtp.starttls")
        made.assert_called_once_with(socket.AF_INET6, socket.SOCK_STREAM)
        made.return_value.setsockopt.assert_any_call(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        made.return_value.bind.assert_called_once_with(("::", 25))


class PortServiceTests(SynchronousTestCase):
    """The way of a claimed port through the life of the process."""

    def setUp(self) -> None:
        self.claimed = socket.socket()
        self.addCleanup(self.claimed.close)
        self.reactor = MemoryReactor()
        self.factory = Factory.forProtocol(Protocol)
        self.service = PortService(self.reactor, self.claimed, self.factory)

    def test_served(self) -> None:
        """From its start on, the port is the reactor's."""
        number = self.claimed.fileno()
        self.service.startService()
        self.assertEqual([(number, socket.AF_INET, self.factory)], self.reactor.adoptedPorts)
        self.assertEqual(-1, self.claimed.fileno())

    def test_stopped(self) -> None:
        """Stopped, it listens no more, and may be told so again."""
        self.service.startService()
        self.service.stopService()
        self.assertIsNone(self.service.stopService())

    def test_never_started(self) -> None:
        """A port whose turn never came is given back."""
        self.service.stopService()
        self.assertEqual(-1, self.claimed.fileno())
