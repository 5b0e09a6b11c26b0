"""Judges whether a click or an open was a reader's, or that of a program on the way to one."""

from __future__ import annotations

import re
from functools import lru_cache
from ipaddress import IPv4Network, IPv6Address, ip_address
from typing import NamedTuple

from smtpeter.values import frozen

HONEYPOT = "honeypot link"
HEAD = "HEAD request"
APPLE = "Apple Mail Privacy Protection"
GOOGLE = "Google image proxy"
YAHOO = "Yahoo mail proxy"
MICROSOFT = "Microsoft link scanner"
BARRACUDA = "Barracuda"
PROOFPOINT = "Proofpoint"
MIMECAST = "Mimecast"
SCANNER = "mail scanner"
PROGRAM = "crawler or script"
NO_AGENT = "no user agent"
SOON = "within seconds of delivery"
MANY_LINKS = "many links at once"

# A reader has to see the message first; a gateway asks before it lets the message through, or
# right after.
SOON_SECONDS = 5.0
# How many different links of one message within the last `LINKS_WINDOW_SECONDS` no reader follows.
MANY = 4
LINKS_WINDOW_SECONDS = 10.0

# The first that is found gives the reason, so those with a name of their own come first.
_AGENTS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (reason, re.compile(pattern, re.IGNORECASE))
    for reason, pattern in (
        (APPLE, r"\AMozilla/5\.0\Z"),  # the whole of what it says; browsers all say more
        # The last is what Gmail sends when it looks at images ahead of the reader.
        (GOOGLE, r"GoogleImageProxy|via ggpht\.com|Edge/12\.246 Mozilla/5\.0\Z"),
        (YAHOO, r"YahooMailProxy"),
        (MICROSOFT, r"BingPreview|SkypeUriPreview|MicrosoftPreview|safe-?links"),
        (BARRACUDA, r"barracuda|cudasvc"),
        (PROOFPOINT, r"proofpoint|urldefense"),
        (MIMECAST, r"mimecast"),
        (
            SCANNER,
            (
                r"CiscoSecureEmail|ironport|fireeye|forcepoint|fortimail|messagelabs|sophos|symantec"
                r"|trend ?micro|zscaler|cloudmark|virustotal|(?:link|url) ?(?:scan|preview|check)"
            ),
        ),
        (
            PROGRAM,
            (
                r"(?<!cu)bot(?![a-z])"  # Cubot is a make of telephones
                r"|crawl|spider|slurp|headless|phantomjs|facebookexternalhit|whatsapp|\bcurl\b|wget"
                r"|libwww|lwp::|python|aiohttp|httpx|scrapy|go-http-client|\bjava/|apache-httpclient"
                r"|axios|node-fetch|undici|guzzle|\bphp/|\bruby\b|winhttp|powershell|postmanruntime"
                r"|zgrab"
            ),
        ),
    )
)

# What these houses publish as the addresses of their mail gateways.
_NETWORKS: tuple[tuple[str, tuple[IPv4Network, ...]], ...] = tuple(
    (reason, tuple(map(IPv4Network, networks.split())))
    for reason, networks in (
        (BARRACUDA, "64.235.144.0/20 209.222.80.0/21"),
        (PROOFPOINT, "67.231.144.0/20 148.163.128.0/19 205.220.160.0/19"),
        (MIMECAST, "91.220.42.0/24 195.130.217.0/24 205.139.110.0/23 207.211.31.0/25"),
        (MICROSOFT, "40.92.0.0/15 40.107.0.0/16 52.100.0.0/14 104.47.0.0/17"),
    )
)
_AGENT_CHARACTERS = 1000


@frozen
class Request:
    """
    What is known about a request for a tracked link or image.

    Attributes:
        kind: "click" or "open".
        method: of HTTP, in upper case.
        user_agent: as the header has it, empty without one.
        address: of the client.
        seconds_since_delivery: below zero when it came before; None when it is not known.
        different_links: of the same message, asked for within `LINKS_WINDOW_SECONDS`, with this.
        honeypot: whether who asked has asked for the link that no reader can see.
        client: what `known_client` has said of user agent and address; None to ask it.
    """

    kind: str
    method: str
    user_agent: str
    address: str
    seconds_since_delivery: float | None = None
    different_links: int = 1
    honeypot: bool = False
    client: str | None = None


class Judgement(NamedTuple):
    """Whether a program asked, and what gave it away; no reason for a reader."""

    bot: bool
    reason: str


READER = Judgement(bot=False, reason="")


def judge(request: Request) -> Judgement:
    """
    Tell programs from readers, as far as a request shows it.

    The judgement marks an event and never drops it. Google's and Yahoo's proxies ask when
    a reader opens the message, and Apple's whether one does or not: who counts opens can
    tell them apart by the reason.
    """
    reason = _reason(request)
    return Judgement(bot=True, reason=reason) if reason else READER


def _reason(request: Request) -> str:
    """The surest signal first."""
    client = request.client
    if client is None:
        client = known_client(request.user_agent, request.address)
    seconds = request.seconds_since_delivery
    signals = (
        (HONEYPOT, request.honeypot),
        (HEAD, request.method == "HEAD"),
        (client, bool(client)),
        (SOON, seconds is not None and seconds < SOON_SECONDS),
        # A message is opened with all its images; its links are clicked one at a time.
        (MANY_LINKS, request.kind == "click" and request.different_links >= MANY),
    )
    return next((reason for reason, seen in signals if seen), "")


def known_client(user_agent: str, address: str) -> str:
    """What a client gives away by who it is, "" for nothing."""
    agent = user_agent[:_AGENT_CHARACTERS].strip()
    return _known_agent(agent) or _known_network(address) or ("" if agent else NO_AGENT)


@lru_cache(maxsize=1024)
def _known_agent(user_agent: str) -> str:
    return next((reason for reason, agent in _AGENTS if agent.search(user_agent)), "")


@lru_cache(maxsize=1024)
def _known_network(text: str) -> str:
    try:
        address = ip_address(text)
    except ValueError:
        return ""
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        address = address.ipv4_mapped
    return next(
        (reason for reason, networks in _NETWORKS if any(address in each for each in networks)), ""
    )
