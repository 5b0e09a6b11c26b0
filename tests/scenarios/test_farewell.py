import socket
import ssl

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import Daemon
from tests.scenarios.programs import WAIT_SECONDS

FLOOD = b"FOO\r\n" * 4_000_000


class FarewellTests(SynchronousTestCase):
    """Clients that are hung up on while they are sending."""

    def last_word(self, connection: socket.socket) -> bytes:
        """What a client hears that first says all it has to say."""
        connection.settimeout(WAIT_SECONDS)
        connection.sendall(FLOOD)
        heard = b""
        while octets := connection.recv(65536):
            heard += octets
        return heard.splitlines()[-1]

    def test_in_the_clear(self) -> None:
        """A client that floods is heard out, so that no reset takes back why it is hung up on."""
        with (
            Daemon() as daemon,
            socket.create_connection(("127.0.0.1", daemon.starttls)) as connection,
        ):
            self.assertEqual(b"421 4.7.0 Too many errors", self.last_word(connection))

    def test_inside_tls(self) -> None:
        """So does one inside TLS."""
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with (
            Daemon() as daemon,
            socket.create_connection(("127.0.0.1", daemon.implicit_tls)) as plain,
            context.wrap_socket(plain) as connection,
        ):
            self.assertEqual(b"421 4.7.0 Too many errors", self.last_word(connection))
