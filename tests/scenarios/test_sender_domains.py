import http.client
import re
import smtplib
from urllib.parse import SplitResult, urlsplit

from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.daemon import ACCOUNT, Daemon
from tests.scenarios.mails import RECIPIENT
from tests.scenarios.programs import WAIT_SECONDS, wait_for

OTHER = "kees@club.example"
HOST = "clicks.shop.example"
ORIGINAL = "https://shop.example/sale/boots?size=43"
MAIL = (
    "From: Shop <news@letters.shop.example>\r\nTo: <{recipient}>\r\nSubject: Sale\r\n"
    "MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
    f'<p><a href="{ORIGINAL}">boots</a> <a href="{{{{$webversion}}}}">in a browser</a></p>\r\n'
)


def delivered(daemon: Daemon, client: smtplib.SMTP, sender: str) -> list[SplitResult]:
    """Where the links of a mail point: that to the shop, and that to the web version."""
    before = daemon.captured()
    client.sendmail(sender, [RECIPIENT], MAIL.format(recipient=RECIPIENT).encode())
    wait_for("the mail", lambda: len(daemon.captured()) > len(before))
    [content] = [each for each in daemon.captured() if each not in before]
    return [urlsplit(found) for found in re.findall(r'href="([^"]+)"', content.decode())]


class SenderDomainTests(SynchronousTestCase):
    """Two accounts, one of which has a sender domain."""

    def asked(
        self, daemon: Daemon, target: str, host: str, *, tls: bool
    ) -> http.client.HTTPResponse:
        """What the daemon answers to who came by this host."""
        connection = (
            http.client.HTTPSConnection(
                "localhost", daemon.https, timeout=WAIT_SECONDS, context=daemon.trust()
            )
            if tls
            else http.client.HTTPConnection("127.0.0.1", daemon.http, timeout=WAIT_SECONDS)
        )
        self.addCleanup(connection.close)
        connection.request("GET", target, headers={"Host": host})
        return connection.getresponse()

    def followed(self, daemon: Daemon, link: SplitResult) -> str | None:
        """Where a link leads."""
        target = f"{link.path}?{link.query}"
        answer = self.asked(daemon, target, link.netloc, tls=link.scheme == "https")
        self.assertEqual(302, answer.status)
        return answer.getheader("Location")

    def test_links(self) -> None:
        """Mail of the account that has the domain is tracked at its host, other mail is not."""
        with Daemon() as daemon:
            daemon.account()
            daemon.account(email=OTHER)
            own, other = daemon.login("trackclicks=on"), daemon.login("trackclicks=on", email=OTHER)
            with daemon.client(own) as client, daemon.client(other) as others:
                at_default = f"localhost:{daemon.https}"
                shop, _ = delivered(daemon, client, ACCOUNT)
                self.assertEqual(("https", at_default), shop[:2])
                first = daemon.asked("domain", "add", ACCOUNT, "shop.example")
                self.assertEqual((HOST, False), (first["tracking"], first["https"]))
                for link in delivered(daemon, client, ACCOUNT):
                    self.assertEqual(("http", f"{HOST}:{daemon.http}"), link[:2])
                for link in delivered(daemon, others, OTHER):
                    self.assertEqual(("https", at_default), link[:2])
                in_clear, page = delivered(daemon, client, ACCOUNT)
                self.assertEqual(ORIGINAL, self.followed(daemon, in_clear))
                answer = self.asked(daemon, page.path, page.netloc, tls=False)
                self.assertIn(in_clear.geturl(), answer.read().decode())

                daemon.asked("domain", "set", "shop.example", "--https", "on")
                secure, _ = delivered(daemon, client, ACCOUNT)
                self.assertEqual(("https", f"{HOST}:{daemon.https}"), secure[:2])
                self.assertEqual(ORIGINAL, self.followed(daemon, secure))
                daemon.asked("domain", "remove", "shop.example")
                self.assertEqual(ORIGINAL, self.followed(daemon, in_clear))
                shop, _ = delivered(daemon, client, ACCOUNT)
                self.assertEqual(at_default, shop.netloc)

    def test_nothing_else(self) -> None:
        """At a host for readers there is no API; at the public host there is."""
        default = "clicks.relay.example"
        with Daemon({"tracking.host": default}) as daemon:
            daemon.account()
            daemon.asked("domain", "add", ACCOUNT, "shop.example")
            for target, tls, elsewhere in (("/", True, 200), ("/v1/send", True, 405)):
                for host in (default, f"{HOST}:{daemon.https}"):
                    self.assertEqual(404, self.asked(daemon, target, host, tls=tls).status, host)
                for host in (f"localhost:{daemon.https}", "mail.club.example"):
                    self.assertEqual(elsewhere, self.asked(daemon, target, host, tls=tls).status)
            self.assertEqual(404, self.asked(daemon, "/v1/send", HOST, tls=False).status)
            self.assertEqual(400, self.asked(daemon, "/v1/send", "localhost", tls=False).status)
