import json
import string

from hypothesis import given
from hypothesis import strategies as st
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.events.sealing import Seal
from smtpeter.events.signals import PROGRAM
from smtpeter.events.visit import Visit, header_lines, line_of, visits_in
from tests.events.house import BROWSER, visit

_visits = st.builds(
    Visit, st.floats(0, 4e9), *[st.text()] * 2, st.integers(0, 10_000), *[st.text()] * 4,
    st.ip_addresses().map(str), st.text(),
    st.booleans(), st.text(),
)  # fmt: skip
SEAL = Seal()


class VisitTests(SynchronousTestCase):
    """Visits as lines of a journal."""

    @given(st.lists(_visits, max_size=5))
    def test_read_back(self, visits: list[Visit]) -> None:
        """Any visits are one line, and are read back from it as they were."""
        line = line_of(visits, SEAL)
        self.assertEqual((1, b"\n"), (line.count(b"\n"), line[-1:]))
        self.assertTrue(line.isascii())
        self.assertEqual([each.judged() for each in visits], visits_in(line, SEAL))

    def test_hidden(self) -> None:
        """A line does not tell who came; the process that wrote it knows, another does not."""
        curl = visit(headers="User-Agent: curl/8\nAccept-Language: nl-BE")
        line = line_of([curl, visit(2)], SEAL)
        for each in (b"203.0.113.9", b"curl", b"Accept", b"nl-BE"):
            self.assertNotIn(each, line)
        self.assertEqual([curl.judged(), visit(2).judged()], visits_in(line, SEAL))
        self.assertEqual(
            [
                curl._replace(address="", headers="", client=PROGRAM),
                visit(2)._replace(address="", headers="", client=""),
            ],
            visits_in(line, Seal()),
        )

    @given(_visits, st.integers(0))
    def test_cut_off(self, each: Visit, end: int) -> None:
        """A line that is cut off is none."""
        line = line_of([each], SEAL).rstrip(b"\n")
        self.assertIsNone(visits_in(line[: end % len(line)], SEAL))

    @given(st.binary() | st.text(string.printable).map(lambda text: json.dumps([text]).encode()))
    def test_no_visit(self, line: bytes) -> None:
        """Whatever else stands in a line is no visit."""
        self.assertIsNone(visits_in(line, SEAL))

    def test_wrong_type(self) -> None:
        """A line whose values are of other types is none."""
        for place, _ in enumerate(visit()):
            values: list[object] = list(visit(address="", headers=""))
            values[place] = None
            line = json.dumps([[values], SEAL.close(json.dumps([["", ""]]))]).encode()
            if place not in (Visit._fields.index("address"), Visit._fields.index("headers")):
                self.assertIsNone(visits_in(line, SEAL))
        line = json.dumps([[visit()], SEAL.close(json.dumps([[1, 2]]))]).encode()
        self.assertIsNone(visits_in(line, SEAL))

    def test_user_agent(self) -> None:
        """The user agent is found among the fields, however its name is written."""
        self.assertEqual(BROWSER, visit().user_agent)
        self.assertEqual("a: b", visit(headers="Host: x\nuser-AGENT:  a: b ").user_agent)
        for headers in ("", "Host: x", "X-User-Agent: y"):
            self.assertEqual("", visit(headers=headers).user_agent)

    def test_header_lines(self) -> None:
        """Fields are lines in their order; those that hold secrets are left out."""
        fields = [
            (b"Host", [b"clicks.shop.example"]),
            (b"Cookie", [b"a=1"]),
            (b"X-Odd", [b"one", b"tw\xf6"]),
            (b"Authorization", [b"Basic eDp5"]),
            (b"Proxy-Authorization", [b"Basic eDp5"]),
        ]
        self.assertEqual("Host: clicks.shop.example\nX-Odd: one\nX-Odd: twö", header_lines(fields))
