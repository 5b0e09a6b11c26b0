"""DMARC aggregate reports, and what only looks like one."""

from __future__ import annotations

import gzip
from base64 import encodebytes
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.incoming import dmarcreports
from smtpeter.message.incoming.dmarcreports import ELEMENTS, _Totals, aggregate_report
from smtpeter.message.incoming.findings import AggregateReport
from tests.message.incoming.letters import multipart, read_octets


def row(count: object, dkim: str = "pass", spf: str = "pass") -> str:
    return (
        f"<record><row><source_ip>192.0.2.1</source_ip><count>{count}</count><policy_evaluated>"
        f"<disposition>none</disposition><dkim>{dkim}</dkim><spf>{spf}</spf></policy_evaluated></row>"
        "<auth_results><spf><domain>x.example</domain><result>fail</result></spf></auth_results>"
        "</record>"
    )


def document(*rows: str, root: str = "feedback", domain: str = "Shop.Example") -> str:
    return (
        f"<?xml version='1.0'?><{root}><report_metadata><org_name>Mailbox</org_name>"
        "<email>d@mailbox.example</email><report_id>17</report_id>"
        "<date_range><begin>1699920000</begin><end> 1700006399 </end></date_range>"
        f"</report_metadata><policy_published><domain>{domain}</domain></policy_published>"
        f"{''.join(rows)}</{root}>"
    )


def attached(
    octets: bytes,
    media_type: str = "application/octet-stream",
    filename: str = "a.xml.gz",
    header: str = "From: <dmarc@sender.example>\n",
) -> AggregateReport | None:
    """What is read in a message with this attachment."""
    fields = (
        f"Content-Type: {media_type}\nContent-Transfer-Encoding: base64\n"
        f'Content-Disposition: attachment; filename="{filename}"\n'
    )
    return aggregate_report(
        read_octets(multipart("mixed", ("", b"."), (fields, encodebytes(octets)), header=header))
    )


def read(xml: str) -> AggregateReport:
    found = attached(gzip.compress(xml.encode()))
    assert found is not None
    return found


class ReportTests(SynchronousTestCase):
    """What reports say."""

    def test_values(self) -> None:
        xml = document(row(3))
        found = read(xml)
        self.assertEqual("Mailbox", found.organization_name)
        self.assertEqual(("d@mailbox.example", "17"), (found.email, found.report_id))
        self.assertEqual((1699920000, 1700006399), (found.begin, found.end))
        self.assertEqual("shop.example", found.domain)
        self.assertEqual(xml.encode(), found.xml)

    def test_counts(self) -> None:
        """Messages, and those that fail either test, whatever the results behind it."""
        found = read(document(row(40), row(3, "fail", "fail"), row(" 2 ", "pass", "FAIL")))
        self.assertEqual((45, 5, 3), (found.messages, found.failed_spf, found.failed_dkim))

    def test_nested(self) -> None:
        """Sections count where they belong, however deep others of their name stand."""
        deep = document(row(3))
        for _ in range(5):
            deep = deep.replace("<report_metadata>", "<report_metadata><report_metadata>")
            deep = deep.replace("</report_metadata>", "</report_metadata></report_metadata>")
        with mock.patch.object(_Totals, "add_texts", autospec=True) as add_texts:
            attached(deep.encode(), "text/xml", "a.xml")
        self.assertEqual(2, add_texts.call_count)
        hidden = document(row(3)).replace("policy_published>", "a><policy_published>", 1)
        hidden = hidden.replace("</policy_published>", "</policy_published></a>")
        self.assertIsNone(attached(hidden.encode(), "text/xml", "a.xml"))

    def test_many_elements(self) -> None:
        """Of a section a beginning is read."""
        for count, expected in ((ELEMENTS - 10, "17"), (ELEMENTS, "")):
            xml = document(row(3)).replace(
                "<report_metadata>", "<report_metadata>" + "<x/>" * count
            )
            found = attached(xml.encode(), "text/xml", "a.xml")
            assert found is not None
            self.assertEqual(expected, found.report_id)

    def test_many_records(self) -> None:
        """What is longer than any report is none."""
        with mock.patch.object(dmarcreports, "RECORDS", 5):
            self.assertEqual(9, read(document(*[row(3)] * 3)).messages)
            xml = document(*[row(3)] * 4)
            self.assertIsNone(attached(xml.encode(), "text/xml", "a.xml"))

    def test_many_in_a_record(self) -> None:
        """Of a record and of its row a beginning is read."""
        for tag in ("<record>", "<row>"):
            for count, expected in ((5, 3), (ELEMENTS, 0)):
                xml = document(row(3).replace(tag, tag + "<x/>" * count))
                self.assertEqual(expected, read(xml).messages, tag)

    def test_odd_counts(self) -> None:
        """What is no number counts nothing."""
        found = read(document(row(""), row("-1"), row("many"), row("9" * 30)))
        self.assertLess(found.messages, 10**12)
        self.assertEqual(0, read(document()).messages)

    def test_sending_domain(self) -> None:
        """From the name of the file, else from the subject, else from the author."""
        packed = gzip.compress(document().encode())
        for filename, header, domain in (
            ("Mailbox.example!shop.example!1!2.xml.gz", "From: a@b.example\n", "mailbox.example"),
            ("a.gz", "Subject: Report domain: x Submitter: Sub.example.\n", "sub.example"),
            ("a.gz", "From: DMARC <dmarc@sender.example>\n", "sender.example"),
            ("a.gz", "", ""),
        ):
            found = attached(packed, filename=filename, header=header)
            assert found is not None
            self.assertEqual(domain, found.sending_domain)

    def test_types(self) -> None:
        """The type of the attachment or its name says where to look."""
        packed = gzip.compress(document().encode())
        self.assertIsNotNone(attached(packed, "application/gzip", ""))
        self.assertIsNotNone(attached(packed, "text/plain", "report.XML.GZ"))
        self.assertIsNone(attached(packed, "image/png", "report.png"))


class NoReportTests(SynchronousTestCase):
    """What is none, or is not safe to read."""

    def test_other_documents(self) -> None:
        """Another root, no domain, no end, no XML."""
        for xml in (
            document(root="rss"), document(domain=""), document()[:-4], "<feedback>", "",
            "feedback", "<a><feedback/></a>",
        ):  # fmt: skip
            self.assertIsNone(attached(xml.encode(), "text/xml", "a.xml"), xml)

    def test_entities(self) -> None:
        """A document that declares entities is not read, in whatever encoding."""
        inner = '<!DOCTYPE feedback [<!ENTITY a "b"><!ENTITY x SYSTEM "file:///etc/passwd">]>'
        xml = document().replace("<feedback>", f"{inner}<feedback>").replace("Mailbox", "&x;")
        self.assertIsNone(attached(xml.encode(), "text/xml", "a.xml"))
        self.assertIsNone(attached(xml.encode("utf-16"), "text/xml", "a.xml"))

    def test_entities_are_not_resolved(self) -> None:
        """Nor would the parser follow them, if it came to that."""
        inner = '<!DOCTYPE feedback [<!ENTITY x SYSTEM "file:///etc/passwd">]><feedback>'
        xml = document().replace("<feedback>", inner).replace("Mailbox", "&x;")
        texts = "".join(
            "".join(map(str, element.itertext()))
            for element in dmarcreports._elements(xml.encode())
        )
        self.assertIn("d@mailbox.example", texts)
        self.assertNotIn("root", texts)

    def test_too_large(self) -> None:
        """What would unpack to more than there is room for is not read."""
        xml = document(row(1)).encode()
        packed = gzip.compress(xml)
        with mock.patch.object(dmarcreports, "XML_OCTETS", len(xml) - 1):
            self.assertIsNone(attached(packed))
        with mock.patch.object(dmarcreports, "XML_OCTETS", len(xml)):
            self.assertIsNotNone(attached(packed))

    def test_too_large_together(self) -> None:
        """There is so much room for all that is attached, not for each."""
        report = ("Content-Type: text/xml\n", document(row(1)).encode())
        other = ("Content-Type: text/xml\n", b"<feedback>" + b" " * 100 + b"</feedback>")
        octets = multipart("mixed", other, other, report)
        needed = len(report[1]) + 2 * len(other[1])
        for room, is_read in ((needed, True), (needed - 1, False)):
            with mock.patch.object(dmarcreports, "XML_OCTETS", room):
                found = aggregate_report(read_octets(octets))
            self.assertEqual(is_read, found is not None, room)

    def test_few_attachments(self) -> None:
        """No more than a few attachments are unpacked."""
        report = ("Content-Type: text/xml\n", document().encode())
        other = ("Content-Type: text/xml\n", b"<a/>")
        few = multipart("mixed", *[other] * 2, report)
        many = multipart("mixed", *[other] * dmarcreports.ATTACHMENTS, report)
        self.assertIsNotNone(aggregate_report(read_octets(few)))
        self.assertIsNone(aggregate_report(read_octets(many)))

    def test_deep(self) -> None:
        """Elements within elements without end are an error of the document."""
        xml = "<feedback>" + "<a>" * 100_000
        self.assertIsNone(attached(gzip.compress(xml.encode())))

    @given(st.text("<>/&feedback; rowcount0", max_size=80))
    def test_any_text(self, inner: str) -> None:
        """Whatever stands in it, the numbers are numbers."""
        found = attached(document(inner).encode(), "text/xml", "a.xml")
        self.assertTrue(found is None or found.messages >= 0)
