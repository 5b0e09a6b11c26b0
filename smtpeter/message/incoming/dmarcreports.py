"""DMARC aggregate reports (RFC 7489 section 7.2 and appendix C)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from io import BytesIO
from itertools import islice

from lxml import etree

from smtpeter.message.incoming.addresses import addresses_in
from smtpeter.message.incoming.decoding import octets_of, one_line
from smtpeter.message.incoming.findings import AggregateReport
from smtpeter.message.incoming.letter import Letter
from smtpeter.message.incoming.unpacking import unpacked
from smtpeter.message.parts import Part

XML_OCTETS = 8 * 1024 * 1024
PACKED_OCTETS = 8 * 1024 * 1024
ATTACHMENTS = 3
TEXT_CHARACTERS = 255
ELEMENTS = 500  # so many of a section or record are looked at; it has some ten
RECORDS = 50_000  # with the sections; of real ones `XML_OCTETS` hold some 15 000

_TYPES = frozenset(
    {"application/gzip", "application/x-gzip", "application/gzip-compressed"}
    | {"application/zip", "application/x-zip-compressed", "application/x-zip"}
    | {"text/xml", "application/xml", "application/octet-stream", "application/dmarc+xml"}
)
_NAMES = (".xml", ".gz", ".gzip", ".zip")
_INTEGER = re.compile(r"[0-9]{1,12}")
_SUBMITTER = re.compile(r"\bSubmitter: ?<?([\w.\-]{1,255})", re.IGNORECASE)
_ROOT = b"<feedback"


class _Totals:
    """What the elements of a report add up to; they come one after the other."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.messages = 0
        self.failed = {"spf": 0, "dkim": 0}

    def add_texts(self, section: etree._Element) -> None:
        """Of elements within others the first counts, by the names of both."""
        for each in islice(section.iterdescendants(), ELEMENTS):
            parent = each.getparent()
            if parent is not None and len(each) == 0:
                path = f"{_name(parent)}/{_name(each)}"
                self.texts.setdefault(path, one_line(each.text or "", TEXT_CHARACTERS))

    def add_row(self, row: etree._Element) -> None:
        """A row counts messages that were judged in the same way."""
        values = {
            f"{_name(parent)}/{_name(each)}": (each.text or "").strip()
            for each in islice(row.iterdescendants(), ELEMENTS)
            if (parent := each.getparent()) is not None
        }
        count = _number(values.get("row/count", ""))
        self.messages += count
        for test in self.failed:
            if values.get(f"policy_evaluated/{test}", "").lower() == "fail":
                self.failed[test] += count


def aggregate_report(letter: Letter) -> AggregateReport | None:
    """Read the report that is attached to a message; None when there is none."""
    parts = [part for part in letter.root.walk() if not part.children and _may_hold_one(part)]
    room = XML_OCTETS
    for part in parts[:ATTACHMENTS]:
        for xml in unpacked(octets_of(letter.octets, part, PACKED_OCTETS), XML_OCTETS):
            room -= len(xml)
            totals = _read(xml) if room >= 0 else None
            if totals is not None:
                return _report(totals, letter, part.filename, xml)
    return None


def _may_hold_one(part: Part) -> bool:
    return part.media_type in _TYPES or part.filename.lower().endswith(_NAMES)


def _report(totals: _Totals, letter: Letter, filename: str, xml: bytes) -> AggregateReport:
    texts = totals.texts
    return AggregateReport(
        texts.get("report_metadata/org_name", ""),
        texts.get("report_metadata/email", ""),
        texts.get("report_metadata/report_id", ""),
        _number(texts.get("date_range/begin", "")),
        _number(texts.get("date_range/end", "")),
        texts.get("policy_published/domain", "").lower().rstrip("."),
        _sending_domain(letter, filename),
        totals.messages,
        totals.failed["spf"],
        totals.failed["dkim"],
        xml,
    )


def _sending_domain(letter: Letter, filename: str) -> str:
    """As the file is named, or the subject says (section 7.2.1.1), or else the author's."""
    receiver, mark, _ = filename.partition("!")
    submitter = _SUBMITTER.search(letter.subject)
    if mark and receiver:
        domain = receiver
    elif submitter is not None:
        domain = submitter[1]
    else:
        authors = addresses_in(letter.header.first("from"))
        domain = next((each.address.rpartition("@")[2] for each in authors), "")
    return one_line(domain.lower().rstrip("."), TEXT_CHARACTERS)


def _read(xml: bytes) -> _Totals | None:
    """Add up a document; None when it is no report, or none that can be read."""
    plain = xml.replace(b"\0", b"")  # UTF-16 has them between letters
    if _ROOT not in plain and b":feedback" not in plain:
        return None
    if b"<!DOCTYPE" in plain or b"<!ENTITY" in plain:
        return None  # a report has no use for these
    totals = _Totals()
    try:
        is_report = _walk(xml, totals)
    except etree.XMLSyntaxError:
        return None
    return totals if is_report and totals.texts.get("policy_published/domain") else None


def _walk(xml: bytes, totals: _Totals) -> bool:
    """
    Go through the elements without keeping the many.

    Returns:
        True when it is a report. Not what has more elements than one: a few octets of an
        archive can stand for millions of them.
    """
    is_report = False
    for number, element in enumerate(_elements(xml)):
        if number > RECORDS:
            return False
        name = _name(element)
        if name == "record":
            for row in islice(element, ELEMENTS):
                if _name(row) == "row":
                    totals.add_row(row)
            element.clear()
            _forget_before(element)
        elif name == "feedback":
            is_report = element.getparent() is None
        elif _is_section(element):
            totals.add_texts(element)
    return is_report


def _is_section(element: etree._Element) -> bool:
    """True for one that stands right below the root: within another it would be read again."""
    parent = element.getparent()
    return parent is not None and parent.getparent() is None


def _elements(xml: bytes) -> Iterator[etree._Element]:
    """The elements that count, of whatever namespace: reports are written with and without."""
    for _event, element in etree.iterparse(
        BytesIO(xml),
        events=("end",),
        tag=("{*}record", "{*}feedback", "{*}report_metadata", "{*}policy_published"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        remove_comments=True,
        remove_pis=True,
    ):
        yield element


def _forget_before(element: etree._Element) -> None:
    parent = element.getparent()
    if parent is not None:
        while (previous := element.getprevious()) is not None:
            parent.remove(previous)


def _name(element: etree._Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2] if isinstance(element.tag, str) else ""


def _number(text: str) -> int:
    match = _INTEGER.match(text.strip())
    return int(match[0]) if match else 0
