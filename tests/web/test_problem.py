"""Tests for `smtpeter.web.problem`."""

from __future__ import annotations

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.reply import Refused, Reply, storage_full
from smtpeter.web.problem import SHOWN_CHARACTERS, Problem, json_type, shown, wrong_method


class ProblemTests(SynchronousTestCase):
    """Errors as documents."""

    def test_document(self) -> None:
        """The text stands in an object in an object."""
        self.assertEqual({"error": {"message": "No"}}, Problem(400, "No").document)

    def test_try_later(self) -> None:
        """What may work later says when."""
        for status, expected in ((429, "30"), (503, "30"), (507, "30"), (500, None), (400, None)):
            self.assertEqual(expected, Problem(status, "").headers.get("Retry-After"))
        self.assertEqual("9", Problem(503, "", {"Retry-After": "9"}).headers["Retry-After"])

    def test_refused(self) -> None:
        """A refusal keeps its sentence and its status."""
        problem = Problem.from_refused(storage_full())
        self.assertEqual((507, storage_full().reply.text), (problem.status, problem.text))
        for seconds, expected in ((None, "30"), (0.0, "1"), (1799.2, "1800")):
            refused = Refused(Reply(452, "4.2.2", "Over the quota"), 429, seconds)
            self.assertEqual(expected, Problem.from_refused(refused).headers["Retry-After"])
        lines = Problem.from_refused(Refused(Reply(550, "5.0.0", "two\nlines"), 400))
        self.assertEqual("two lines", lines.text)

    def test_wrong_method(self) -> None:
        """The methods that would do are named in a header too."""
        self.assertEqual("GET, PUT", wrong_method("GET", "PUT").headers["Allow"])


class ShownTests(SynchronousTestCase):
    """Values in error texts."""

    def test_shown(self) -> None:
        """A string is shown as it is, of anything else only the type."""
        self.assertEqual("kees", shown("kees"))
        self.assertEqual("an array", shown(["secret"]))

    def test_cut(self) -> None:
        """A long string is cut."""
        self.assertEqual("x" * SHOWN_CHARACTERS + "...", shown("x" * 9999))

    def test_types(self) -> None:
        """Types have the names of JSON."""
        values: list[object] = ["", {}, [], None, True, 1, 1.5]
        names = ["a string", "an object", "an array", "null", "true", "a number", "a number"]
        self.assertEqual(names, list(map(json_type, values)))
