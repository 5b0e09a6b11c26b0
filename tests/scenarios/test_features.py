import http.client
import re
import ssl

from twisted.trial.unittest import SynchronousTestCase

from tests.events.mmdb import write_mmdb
from tests.scenarios.daemon import Daemon, Login
from tests.scenarios.mails import RECIPIENT, SENDER
from tests.scenarios.programs import WAIT_SECONDS, wait_for

LINK = "https://shop.example/sale/boots?size=43&amp;colour=red#top"
HTML = f"""<!DOCTYPE html>
<html><head><style>p {{ color: red }} a:hover {{ color: blue }}</style></head>
<body><p>On sale: <a href="{LINK}">boots</a></p>
<a href="{{$webversion}}">In a browser</a></body></html>
"""
MAIL = (
    f"From: <{SENDER}>\r\nTo: <{RECIPIENT}>\r\nSubject: Sale\r\nMIME-Version: 1.0\r\n"
    "Date: Fri, 20 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@shop.example>\r\n"
    "Content-Type: text/html; charset=utf-8\r\n{more}\r\n" + HTML.replace("\n", "\r\n")
)


def mail(more: str = "") -> bytes:
    """A mail with something for every feature; `more` stands in its header."""
    return MAIL.replace("{more}", more).encode()


class FeaturesTests(SynchronousTestCase):
    """What a reader gets, and what becomes of their clicks."""

    def delivered(self, daemon: Daemon, sent: bytes, *features: str) -> str:
        """Send one mail with a login that has these features on, and wait for it."""
        return self.delivered_by(daemon, daemon.login(*features), sent)

    def delivered_by(self, daemon: Daemon, login: Login, sent: bytes) -> str:
        """The same with a login that is there."""
        with daemon.client(login) as client:
            client.sendmail(SENDER, [RECIPIENT], sent)
        wait_for("the mail", daemon.captured)
        [content] = daemon.captured()
        return content.decode()

    def asked(
        self, daemon: Daemon, url: str, *, tls: bool = True, **headers: str
    ) -> http.client.HTTPResponse:
        """What the daemon answers to who follows a link."""
        connection = (
            http.client.HTTPSConnection(
                "localhost",
                daemon.https,
                timeout=WAIT_SECONDS,
                context=ssl.create_default_context(cafile=str(daemon.certificate)),
            )
            if tls
            else http.client.HTTPConnection("127.0.0.1", daemon.http, timeout=WAIT_SECONDS)
        )
        self.addCleanup(connection.close)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request("GET", re.sub(r"^https://[^/]+|#.*$", "", url), headers=fields)
        return connection.getresponse()

    def test_all_on(self) -> None:
        """Styles are inlined, links and opens are tracked, and clicks become events."""
        with Daemon() as daemon:
            daemon.account()
            features = ("inlinecss=on", "trackclicks=on", "trackopens=on")
            content = self.delivered(daemon, mail(), *features)
            self.assertRegex(content, r'<p style="color: ?red">On sale')
            self.assertIn("a:hover", content)
            [tracked] = re.findall(r'<a href="([^"]+)">boots', content)
            self.assertRegex(
                tracked,
                rf"\Ahttps://localhost:{daemon.https}/sale/boots-\w+\?size=43&amp;colour=red#top\Z",
            )
            self.assertRegex(content, rf'<img [^>]*src="https://localhost:{daemon.https}/')
            for tls in (True, False):
                answer = self.asked(daemon, tracked.replace("&amp;", "&"), tls=tls)
                self.assertEqual(302, answer.status)
                self.assertEqual(
                    "https://shop.example/sale/boots?size=43&colour=red",
                    answer.getheader("Location"),
                )
            [web_version] = re.findall(r'<a href="([^"]+)">In a browser', content)
            page = self.asked(daemon, web_version)
            self.assertEqual(200, page.status)
            self.assertIn(tracked, page.read().decode())
            [message] = re.findall(r" id (\w{16});", content)
            wait_for("the clicks", lambda: self.kinds(daemon, message).count("click") == 2)
            self.assertEqual(404, self.asked(daemon, tracked.replace("boots-", "boots-0")).status)

    def kinds(self, daemon: Daemon, message: str) -> list[str]:
        """What happened to a message."""
        story = daemon.asked("message", message)
        return [each["event"] for each in story["events"]]

    def test_privacy(self) -> None:
        """A login that wants privacy gets clicks, and nothing anywhere tells who made them."""
        daemon = Daemon({"tracking.places": "places.mmdb"})
        city = {"city": {"names": {"en": "Utrecht"}}}
        write_mmdb(daemon.directory / "places.mmdb", {"127.0.0.0/8": city})
        with daemon:
            daemon.account()
            login = daemon.login("trackclicks=on")
            content = self.delivered_by(daemon, login, mail())
            [tracked] = re.findall(r'<a href="([^"]+)">boots', content)
            link = tracked.replace("&amp;", "&")
            [message] = re.findall(r" id (\w{16});", content)
            self.follow(daemon, link, "SeenBrowser/1.0")
            wait_for("the click", lambda: self.clicks(daemon, message))
            daemon.asked("login", "set", login.username, "--setting", "privacy=on")
            daemon.asked("link-key", "rotate")
            self.follow(daemon, link, "HiddenBrowser/1.0")
            wait_for("the other click", lambda: len(self.clicks(daemon, message)) == 2)
            self.follow(daemon, link, "HiddenBrowser/2.0")
            daemon.terminate()  # the last click has to be recorded even so
            seen, *hidden = self.clicks(daemon, message)
            self.assertEqual(("127.0.0.1", "Utrecht"), (seen["ip"], seen["city"]))
            self.assertIn("SeenBrowser", seen["headers"])
            self.assertEqual(2, len(hidden))
            for click in hidden:
                self.assertEqual(
                    {""}, {click[name] for name in ("ip", "headers", "city", "countryname")}
                )
                self.assertEqual(LINK.replace("&amp;", "&")[:-4], click["destination"])
            kept = [each.read_bytes() for each in daemon.directory.rglob("*") if each.is_file()]
            self.assertTrue([each for each in kept if b"SeenBrowser" in each])
            self.assertFalse([each for each in kept if b"HiddenBrowser" in each])

    def follow(self, daemon: Daemon, link: str, agent: str) -> None:
        """Follow a link that leads on, with a browser of that name."""
        answer = self.asked(daemon, link, User_Agent=agent, Connection="close")
        answer.read()  # or the service would wait for us at its end
        self.assertEqual(302, answer.status)

    def clicks(self, daemon: Daemon, message: str) -> list[dict[str, str]]:
        """The details of the clicks in a message."""
        story = daemon.asked("message", message)
        return [each["details"] for each in story["events"] if each["event"] == "click"]

    def test_all_off(self) -> None:
        """With every feature off only the place of the web version is filled in."""
        with Daemon() as daemon:
            daemon.account()
            content = self.delivered(daemon, mail())
        before, after = mail().decode().split("{$webversion}")
        self.assertIn(before, content)
        self.assertTrue(content.endswith(after))

    def test_header_over_login(self) -> None:
        """A field in the header switches off what the login has on, and leaves no trace."""
        with Daemon() as daemon:
            daemon.account()
            sent = mail("X-SMTPeter-ClickTracking: false\r\n")
            content = self.delivered(daemon, sent, "trackclicks=on", "inlinecss=on")
        self.assertIn(LINK, content)
        self.assertIn('style="', content)
        self.assertNotIn("tracking", content.lower())
