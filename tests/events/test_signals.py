from __future__ import annotations

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.events import signals
from smtpeter.events.signals import READER, Judgement, Request, judge

READERS = (
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/126.0.0.0 Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/126.0.0.0 Safari/537.36 Edg/126.0.2592.87"
    ),
    "Mozilla/5.0 (X11; Linux x86_64; rv:127.0) Gecko/20100101 Firefox/127.0",
    (
        "Mozilla/5.0 (Windows NT 10.0; WOW64; rv:52.0) Gecko/20100101 Thunderbird/52.9.1 "
        "Lightning/5.4.9.1"
    ),
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)",
    (
        "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/17.5 Safari/605.1.15"
    ),
    (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5_1 like Mac OS X) AppleWebKit/605.1.15 "
        "(KHTML, like Gecko) Mobile/15E148"
    ),
    (
        "Mozilla/5.0 (iPad; CPU OS 16_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Version/16.6 Mobile/15E148 Safari/604.1"
    ),
    (
        "Mozilla/5.0 (Linux; Android 14; SM-S918B) AppleWebKit/537.36 (KHTML, like Gecko) "
        "SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36"
    ),
    (
        "Mozilla/5.0 (Linux; Android 9; CUBOT_X19) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/109.0.5414.86 Mobile Safari/537.36"
    ),
    (
        "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/7.0; .NET4.0C; "
        ".NET4.0E; Microsoft Outlook 16.0.5056; ms-office; MSOffice 16)"
    ),
    "Outlook-iOS/729.3030.0 (iPhone; iOS 17.5.1; Scale/3.00)",
    "Dalvik/2.1.0 (Linux; U; Android 13; Pixel 6 Build/TQ3A.230901.001)",
    (
        "Opera/9.80 (J2ME/MIDP; Opera Mini/5.0 (Windows; U; Windows NT 5.1; en) AppleWebKit/886; "
        "U; en) Presto/2.4.15"
    ),
    (
        "Mozilla/5.0 (X11; Ubuntu; Linux x86_64) AppleWebKit/605.1.15 (KHTML, like Gecko) "
        "Evolution/3.44.4"
    ),
)

PROGRAMS = (
    ("Mozilla/5.0", signals.APPLE),
    (" Mozilla/5.0 ", signals.APPLE),
    (
        "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
        signals.GOOGLE,
    ),
    (
        (
            "Mozilla/5.0 (Windows; U; Windows NT 5.1; de; rv:1.9.0.7) Gecko/2009021910 "
            "Firefox/3.0.7 (via ggpht.com)"
        ),
        signals.GOOGLE,
    ),
    (
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/42.0.2311.135 Safari/537.36 Edge/12.246 Mozilla/5.0"
        ),
        signals.GOOGLE,
    ),
    ("YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html", signals.YAHOO),
    (
        (
            "Mozilla/5.0 (Windows NT 6.1; WOW64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "Chrome/103.0.5060.134 Safari/537.36 BingPreview/1.0b"
        ),
        signals.MICROSOFT,
    ),
    ("Mozilla/5.0 (Windows NT 6.1; WOW64) SkypeUriPreview Preview/0.5", signals.MICROSOFT),
    ("Barracuda Sentinel (EE)", signals.BARRACUDA),
    ("Mozilla/5.0 (compatible; Proofpoint URL Defense)", signals.PROOFPOINT),
    ("Mimecast-URL-Protect/1.0", signals.MIMECAST),
    ("CiscoSecureEmail/14.0", signals.SCANNER),
    ("Mozilla/5.0 (compatible; LinkCheck by Siteimprove.com)", signals.SCANNER),
    (
        "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
        signals.PROGRAM,
    ),
    ("Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)", signals.PROGRAM),
    ("Mozilla/5.0 (compatible; Yahoo! Slurp; http://help.yahoo.com/help/)", signals.PROGRAM),
    ("Slackbot-LinkExpanding 1.0 (+https://api.slack.com/robots)", signals.PROGRAM),
    ("TelegramBot (like TwitterBot)", signals.PROGRAM),
    (
        "facebookexternalhit/1.1 (+http://www.facebook.com/externalhit_uatext.php)",
        signals.PROGRAM,
    ),
    (
        (
            "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) "
            "HeadlessChrome/119.0.6045.105 Safari/537.36"
        ),
        signals.PROGRAM,
    ),
    ("curl/8.5.0", signals.PROGRAM),
    ("Wget/1.21.4", signals.PROGRAM),
    ("python-requests/2.31.0", signals.PROGRAM),
    ("Python/3.11 aiohttp/3.9.1", signals.PROGRAM),
    ("Go-http-client/2.0", signals.PROGRAM),
    ("Java/17.0.9", signals.PROGRAM),
    ("axios/1.6.2", signals.PROGRAM),
    ("", signals.NO_AGENT),
    ("  ", signals.NO_AGENT),
)

NETWORKS = (
    ("64.235.150.11", signals.BARRACUDA),
    ("209.222.82.1", signals.BARRACUDA),
    ("67.231.152.40", signals.PROOFPOINT),
    ("148.163.139.5", signals.PROOFPOINT),
    ("205.139.110.61", signals.MIMECAST),
    ("40.93.1.2", signals.MICROSOFT),
    ("::ffff:104.47.1.2", signals.MICROSOFT),
)

STRANGERS = ("192.0.2.7", "2001:db8::7", "fe80::1%eth0", "104.47.128.1", "", "no address")

CLICK = Request(kind="click", method="GET", user_agent=READERS[0], address="192.0.2.7")
OPEN = evolve(CLICK, kind="open")


class AgentTests(SynchronousTestCase):
    """What the user agent gives away."""

    def test_readers(self) -> None:
        """Browsers and mail programs that people read with are readers."""
        for user_agent in READERS:
            for request in (CLICK, OPEN):
                self.assertEqual(
                    READER, judge(evolve(request, user_agent=user_agent)), msg=user_agent
                )

    def test_programs(self) -> None:
        """Proxies, scanners and scripts are named by their user agent."""
        for user_agent, reason in PROGRAMS:
            for request in (CLICK, OPEN):
                found = judge(evolve(request, user_agent=user_agent))
                self.assertEqual(Judgement(bot=True, reason=reason), found, msg=user_agent)

    def test_any_case(self) -> None:
        """The case of a user agent does not matter."""
        found = judge(evolve(OPEN, user_agent="MOZILLA/5.0 (VIA GGPHT.COM GOOGLEIMAGEPROXY)"))
        self.assertEqual(signals.GOOGLE, found.reason)

    def test_long(self) -> None:
        """What stands far behind in an endless user agent is not read."""
        self.assertEqual(READER, judge(evolve(OPEN, user_agent="x" * 5000 + " curl/8.5.0")))


class NetworkTests(SynchronousTestCase):
    """What the address gives away."""

    def test_once(self) -> None:
        """What was found out about a client before is not found out again."""
        for client in ("", signals.BARRACUDA):
            found = judge(evolve(CLICK, user_agent="", address="", client=client))
            self.assertEqual(client, found.reason)

    def test_gateways(self) -> None:
        """The gateways of the large mail scanners are known, whatever browser they claim to be."""
        for address, reason in NETWORKS:
            found = judge(evolve(CLICK, address=address))
            self.assertEqual(Judgement(bot=True, reason=reason), found, msg=address)

    def test_strangers(self) -> None:
        """Another address says nothing, and neither does what is none."""
        for address in STRANGERS:
            self.assertEqual(READER, judge(evolve(CLICK, address=address)), msg=address)


class CircumstanceTests(SynchronousTestCase):
    """What the circumstances give away."""

    def test_honeypot(self) -> None:
        """Whoever follows the link that nobody sees is a program, and nothing is surer."""
        found = judge(evolve(CLICK, honeypot=True, method="HEAD", user_agent="curl/8.5.0"))
        self.assertEqual(Judgement(bot=True, reason=signals.HONEYPOT), found)

    def test_head(self) -> None:
        """A HEAD request is that of a program."""
        found = judge(evolve(CLICK, method="HEAD"))
        self.assertEqual(Judgement(bot=True, reason=signals.HEAD), found)

    def test_soon(self) -> None:
        """Before delivery and in the first seconds after it nobody reads; later people may."""
        for request in (CLICK, OPEN):
            for seconds, expected in (
                (-2.0, Judgement(bot=True, reason=signals.SOON)),
                (0.0, Judgement(bot=True, reason=signals.SOON)),
                (4.9, Judgement(bot=True, reason=signals.SOON)),
                (5.0, READER),
                (86400.0, READER),
                (None, READER),
            ):
                found = judge(evolve(request, seconds_since_delivery=seconds))
                self.assertEqual(expected, found, msg=str(seconds))

    def test_many_links(self) -> None:
        """One reader follows few links at once."""
        self.assertEqual(READER, judge(evolve(CLICK, different_links=signals.MANY - 1)))
        found = judge(evolve(CLICK, different_links=signals.MANY))
        self.assertEqual(Judgement(bot=True, reason=signals.MANY_LINKS), found)

    def test_many_images(self) -> None:
        """A message is opened with all of its images at once."""
        self.assertEqual(READER, judge(evolve(OPEN, different_links=40)))

    def test_name_before_circumstance(self) -> None:
        """Who is known by name is named, also right after delivery."""
        found = judge(evolve(OPEN, user_agent="Mozilla/5.0", seconds_since_delivery=1.0))
        self.assertEqual(signals.APPLE, found.reason)

    @given(
        st.builds(
            Request,
            kind=st.sampled_from(["click", "open"]),
            method=st.sampled_from(["GET", "HEAD"]),
            user_agent=st.text(),
            address=st.one_of(st.text(), st.ip_addresses().map(str)),
            seconds_since_delivery=st.one_of(st.none(), st.floats()),
            different_links=st.integers(),
            honeypot=st.booleans(),
        )
    )
    def test_any(self, request: Request) -> None:
        """Whatever is asked, a judgement comes out, and a reason exactly for programs."""
        found = judge(request)
        self.assertEqual(found.bot, bool(found.reason))
