"""What a server offers in its reply to EHLO (RFC 5321 section 4.1.1.1)."""

from __future__ import annotations

from smtpeter.message.reply import Reply
from smtpeter.values import frozen


@frozen
class Capabilities:
    """
    The service extensions that matter to a client.

    Attributes:
        size: SIZE was offered (RFC 1870).
        size_limit: the largest message in octets; 0 when no limit was named.
        auth: the SASL mechanisms, in capitals (RFC 4954).
    """

    starttls: bool = False
    pipelining: bool = False
    chunking: bool = False
    eightbitmime: bool = False
    smtputf8: bool = False
    dsn: bool = False
    size: bool = False
    size_limit: int = 0
    auth: frozenset[str] = frozenset()

    @classmethod
    def from_ehlo(cls, reply: Reply) -> Capabilities:
        """Read the reply to EHLO; its first line names the server and is passed over."""
        offered: dict[str, list[str]] = {}
        for line in reply.text.split("\n")[1:]:
            # Servers older than RFC 2554 write AUTH=LOGIN, newer ones often both forms.
            keyword, *parameters = line.upper().replace("AUTH=", "AUTH ", 1).split() or [""]
            offered.setdefault(keyword, []).extend(parameters)
        limit = "".join(offered.get("SIZE", [])[:1])
        return cls(
            starttls="STARTTLS" in offered,
            pipelining="PIPELINING" in offered,
            chunking="CHUNKING" in offered,
            eightbitmime="8BITMIME" in offered,
            smtputf8="SMTPUTF8" in offered,
            dsn="DSN" in offered,
            size="SIZE" in offered,
            size_limit=int(limit) if limit.isascii() and limit.isdigit() else 0,
            auth=frozenset(offered.get("AUTH", [])),
        )
