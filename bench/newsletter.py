"""
Newsletters that differ: each has its own words, links, pictures and length of articles.

A few designs, each with a style sheet of its own, as a few campaigns would have. They are denser
than the templates that tests/corpus judges by: of those the ones of 20 KiB and more have, in the
median, five tags in a KiB and a link in seven, and are for four fifths style sheet. These have
fourteen tags and a link in each, and a third is style sheet. And monsters: mail that is large in
every way, each with a style sheet that nobody has seen before.
"""

import random
from base64 import b64encode
from binascii import b2a_qp
from html import escape

from bench.content import ID_DIGITS, ID_HEADER, SENDER, recipient_of

DESIGNS = 5
_ARTICLES = 9
_LOGO_OCTETS = 1200
PALETTE = ("#1d3557", "#8d0801", "#2d6a4f", "#5f0f40", "#3a3a3a")
_WORDS = (  # noqa: SIM905 (a page of quotes is no easier to read)
    "autumn rain boots leather wool sole grip walk city forest trail warm dry light sturdy new "
    "colour size order today week price offer free delivery return thirty days store open early "
    "late made repaired by hand in small numbers from the north with care über garçon señor"
).split()

_HEADERS = (
    "From: The shop <{sender}>\r\n"
    "To: Reader <{recipient}>\r\n"
    "Subject: {subject}\r\n"
    "Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n"
    "Message-ID: <{id}@bench.example.org>\r\n"
    "{id_header}{id}\r\n"
    "List-Unsubscribe: <https://shop.example.org/leave?reader={id}>\r\n"
    "MIME-Version: 1.0\r\n"
    'Content-Type: multipart/related; type="multipart/alternative"; boundary="r-{id}"\r\n'
    "\r\n"
    "--r-{id}\r\n"
    'Content-Type: multipart/alternative; boundary="a-{id}"\r\n'
    "\r\n"
)
_PART = "{dashes}\r\nContent-Type: {kind}\r\nContent-Transfer-Encoding: {encoding}\r\n{more}\r\n"

_SHEET = """\
body, table, td, p, a {{ -webkit-text-size-adjust: 100%; -ms-text-size-adjust: 100%; }}
body {{ margin: 0; padding: 0; width: 100% !important; background-color: #f2f2f2; }}
table {{ border-collapse: collapse; }}
td {{ font-family: Helvetica, Arial, sans-serif; vertical-align: top; }}
img {{ border: 0; line-height: 100%; outline: none; text-decoration: none; max-width: 100%; }}
h1, h2, h3 {{ color: {colour}; font-weight: bold; margin: 0 0 12px; }}
h1 {{ font-size: 28px; line-height: 34px; }}
h2 {{ font-size: 20px; line-height: 26px; }}
p {{ font-size: 15px; line-height: 22px; margin: 0 0 16px; color: #333333; }}
a {{ color: {colour}; text-decoration: underline; }}
a:hover {{ color: #000000; }}
.d{design}-wrap {{ width: 100%; background: #f2f2f2; padding: 24px 0; }}
.d{design}-body {{ width: 600px; background-color: #ffffff; border: 1px solid #dddddd; }}
.d{design}-body > tbody > tr > td.pad {{ padding: 24px 32px; }}
.d{design}-body .article h2 a {{ text-decoration: none; }}
.article {{ border-bottom: 1px solid #e5e5e5; padding: 18px 0; }}
.article .picture {{ width: 160px; padding-right: 20px; }}
.article .picture img {{ width: 160px; height: 120px; display: block; border-radius: 4px; }}
.article .text p:first-child {{ margin-top: 0; }}
.article .more {{ font-size: 13px; text-transform: uppercase; letter-spacing: .05em; }}
.button td {{ background: {colour}; border-radius: 3px; padding: 10px 18px; }}
.button a {{ color: #ffffff !important; text-decoration: none; font-weight: bold; }}
.price {{ color: {colour}; font: bold 18px/22px Georgia, serif; }}
.price s {{ color: #999999; font-weight: normal; }}
ul.facts {{ margin: 0 0 16px 20px; padding: 0; }}
ul.facts li {{ font-size: 14px; line-height: 20px; margin-bottom: 4px; }}
#top {{ background: {colour}; padding: 20px 32px; }}
#top h1 {{ color: #ffffff; margin: 0; }}
#foot td {{ font-size: 12px; line-height: 18px; color: #777777; padding: 20px 32px; }}
#foot a {{ color: #777777; }}
@media only screen and (max-width: 620px) {{
  .d{design}-body {{ width: 100% !important; }}
  .article .picture {{ display: block; width: 100% !important; }}
  #top, #foot td {{ padding: 16px; }}
}}
"""
_SPARE_RULES = 80  # as the frameworks have them, that newsletters are made with

MONSTER_RULES = 4000
_MONSTER_ROWS = 400
_MONSTER_CELLS = 5
_MONSTER_WORDS = 8
_MONSTER_STYLES = (
    "color: #{chance:06x};",
    "padding: {small}px;",
    "border-left: {small}px solid #{chance:06x};",
    "font: bold {small}px/{size}px Georgia, serif;",
)
_MONSTER_HEADERS = (
    "From: The shop <{sender}>\r\n"
    "To: Reader <{recipient}>\r\n"
    "Subject: All that there is\r\n"
    "Date: Thu, 01 Jan 2026 12:00:00 +0000\r\n"
    "Message-ID: <{id}@bench.example.org>\r\n"
    "{id_header}{id}\r\n"
    "MIME-Version: 1.0\r\n"
    'Content-Type: multipart/alternative; boundary="a-{id}"\r\n'
    "\r\n"
)


class Newsletters:
    """Implements content.Maker; the same number gives the same octets."""

    ahead = True

    def __init__(self) -> None:
        self._sheets = [_sheet(design) for design in range(DESIGNS)]
        logo = b64encode(random.Random(0).randbytes(_LOGO_OCTETS)).decode()  # noqa: S311
        self._logo = "".join(f"{logo[at : at + 76]}\r\n" for at in range(0, len(logo), 76))

    def content(self, message_id: int) -> bytes:
        """A message as DATA sends it, its closing dot included."""
        chance = random.Random(message_id)  # noqa: S311
        identity = f"{message_id:0{ID_DIGITS}d}"
        html = self._html(message_id, chance)
        text = f"{_words(chance, 12)}\n\nhttps://shop.example.org/news/{identity}\n"
        head = _HEADERS.format(
            sender=SENDER.decode(),
            recipient=recipient_of(message_id).decode(),
            subject=_words(chance, 5, ascii_only=True),
            id=identity,
            id_header=ID_HEADER.decode(),
        )
        inner, outer = f"--a-{identity}", f"--r-{identity}"
        content = b"".join([
            head.encode(),
            _part(inner, "text/plain; charset=utf-8", text),
            _part(inner, "text/html; charset=utf-8", html),
            f"{inner}--\r\n".encode(),
            _PART.format(
                dashes=outer,
                kind="image/png",
                encoding="base64",
                more=f"Content-ID: <logo@{identity}>\r\nContent-Disposition: inline\r\n",
            ).encode(),
            f"{self._logo}{outer}--\r\n".encode(),
        ])  # fmt: skip
        return _as_data(content)

    def _html(self, message_id: int, chance: random.Random) -> str:
        design = message_id % DESIGNS
        identity = f"{message_id:0{ID_DIGITS}d}"
        articles = "".join(_article(chance, place) for place in range(_ARTICLES))
        return (
            "<!DOCTYPE html>\n<html>\n<head>\n"
            '<meta http-equiv="Content-Type" content="text/html; charset=utf-8">\n'
            f'<title>{_words(chance, 4)}</title>\n<style type="text/css">\n{self._sheets[design]}'
            f'</style>\n</head>\n<body>\n<table class="d{design}-wrap" role="presentation">\n<tr>\n'
            f'<td align="center">\n<table class="d{design}-body" role="presentation">\n<tbody>\n'
            f'<tr>\n<td id="top"><img src="cid:logo@{identity}" alt="The shop" width="120">\n'
            f'<h1>{_words(chance, 4)}</h1></td>\n</tr>\n<tr>\n<td class="pad">\n'
            f'<p>{_words(chance, 30)} <a href="{{$webversion}}">Read it in your browser</a>.</p>\n'
            f'{articles}</td>\n</tr>\n<tr id="foot">\n<td><p>{_words(chance, 20)}</p>\n'
            f'<p><a href="https://shop.example.org/leave?reader={identity}">Unsubscribe</a> or '
            f'<a href="https://shop.example.org/me?reader={identity}&amp;from=mail">change</a> '
            "what you get.</p></td>\n</tr>\n</tbody>\n</table>\n</td>\n</tr>\n</table>\n"
            "</body>\n</html>\n"
        )


class Monsters:
    """Implements content.Maker: about 500 KiB, with MONSTER_RULES rules that no other has."""

    ahead = True

    def content(self, message_id: int) -> bytes:
        """A message as DATA sends it, its closing dot included."""
        chance = random.Random(message_id)  # noqa: S311
        identity = f"{message_id:0{ID_DIGITS}d}"
        prefix = f"m{message_id % 10**6:06d}"
        rows = "".join(_row(chance, prefix, number) for number in range(_MONSTER_ROWS))
        html = (
            '<!DOCTYPE html>\n<html>\n<head>\n<meta charset="utf-8">\n<title>All</title>\n'
            f"<style>\n{_monster_sheet(chance, prefix)}</style>\n</head>\n<body>\n<p>"
            '<a href="{$webversion}">Read it in your browser</a></p>\n'
            f'<table class="{prefix}-all">\n<tbody>\n{rows}</tbody>\n</table>\n</body>\n</html>\n'
        )
        head = _MONSTER_HEADERS.format(
            sender=SENDER.decode(),
            recipient=recipient_of(message_id).decode(),
            id=identity,
            id_header=ID_HEADER.decode(),
        )
        inner = f"--a-{identity}"
        parts = [
            _part(inner, "text/plain; charset=utf-8", "All that there is.\n"),
            _part(inner, "text/html; charset=utf-8", html),
        ]
        return _as_data(b"".join([head.encode(), *parts, f"{inner}--\r\n".encode()]))


def _monster_sheet(chance: random.Random, prefix: str) -> str:
    """Rules of four kinds; cells have classes of half of them."""
    rules = ["td { font-family: Arial, sans-serif; }", "p { margin: 0; }", "a { color: #123456; }"]
    for number in range(MONSTER_RULES - len(rules)):
        name = f".{prefix}-{number}"
        selector = (name, f"td{name}", f".{prefix}-all {name}", f"tr > {name} a")[number % 4]
        style = _MONSTER_STYLES[chance.randrange(len(_MONSTER_STYLES))].format(
            chance=chance.randrange(1 << 24),
            small=chance.randrange(1, 20),
            size=chance.randrange(20, 40),
        )
        rules.append(f"{selector} {{ {style} }}")
    return "\n".join([*rules, ""])


def _row(chance: random.Random, prefix: str, number: int) -> str:
    cells = (
        f'<td class="{prefix}-{number * _MONSTER_CELLS + place}"><p>'
        f'<a href="https://shop.example.org/all/{number}/{place}">{_words(chance, 2)}</a> '
        f"{_words(chance, _MONSTER_WORDS)}</p></td>\n"
        for place in range(_MONSTER_CELLS)
    )
    return f"<tr>\n{''.join(cells)}</tr>\n"


def _article(chance: random.Random, place: int) -> str:
    number = chance.randrange(10**6)
    link = f"https://shop.example.org/boots/{number}?campaign={place}&amp;look=b"
    picture = f"https://pictures{number % 3}.example.net/boots/{number}.jpg"
    facts = "".join(f"<li>{_words(chance, 12)}</li>\n" for _ in range(chance.randrange(2, 5)))
    return (
        '<table class="article" role="presentation" width="100%">\n<tbody>\n<tr>\n'
        f'<td class="picture"><a href="{link}"><img src="{picture}" alt="{_words(chance, 3)}">'
        f'</a></td>\n<td class="text">\n<h2><a href="{link}">{_words(chance, 5)}</a></h2>\n'
        f"<p>{_words(chance, 180 + chance.randrange(40))}</p>\n"
        f'<ul class="facts">\n{facts}</ul>\n'
        f'<p class="price"><s>&euro; {number % 300}</s> &euro; {number % 200}</p>\n'
        '<table class="button" role="presentation">\n<tbody>\n<tr>\n'
        f'<td><a href="{link}&amp;to=basket">Take it home</a></td>\n</tr>\n</tbody>\n</table>\n'
        f'<p class="more">{_words(chance, 60)} <a href="https://shop.example.org/{number}/more">'
        f"{_words(chance, 3)}</a></p>\n</td>\n</tr>\n</tbody>\n</table>\n"
    )


def _sheet(design: int) -> str:
    colour = PALETTE[design]
    spare = "".join(
        f".d{design}-col-{number} {{ width: {number * 10}px; padding: {number % 7}px 0 12px; "
        f"font-size: {10 + number % 9}px; line-height: 1.4; text-align: left; }}\n"
        for number in range(_SPARE_RULES)
    )
    return _SHEET.format(design=design, colour=colour) + spare


def _words(chance: random.Random, count: int, *, ascii_only: bool = False) -> str:
    words = " ".join(chance.choices(_WORDS, k=count)).capitalize()
    return words.encode("ascii", "ignore").decode() if ascii_only else escape(words)


def _part(dashes: str, kind: str, text: str) -> bytes:
    head = _PART.format(dashes=dashes, kind=kind, encoding="quoted-printable", more="")
    body = b2a_qp(text.encode()).replace(b"=\n", b"=\r\n")
    lines = b"\r\n".join(line.removesuffix(b"\r") for line in body.split(b"\n"))
    return head.encode() + lines + b"\r\n"


def _as_data(content: bytes) -> bytes:
    """Dots that begin lines doubled, and the closing dot added (RFC 5321 section 4.5.2)."""
    return content.replace(b"\r\n.", b"\r\n..") + b".\r\n"
