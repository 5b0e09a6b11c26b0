from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, fail
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.message.features import Features
from smtpeter.transform.draft import Draft
from smtpeter.transform.pipeline import Pipeline, Stage, Transformed, always
from tests.transform.drafts import draft


def writes(line: str) -> Stage:
    """A stage that puts a line on top."""

    def apply(one: Draft) -> Draft:
        return evolve(one, content=one.content.prepended(f"{line}: x\r\n".encode()))

    return Stage(line, always, apply)


class PipelineTests(SynchronousTestCase):
    """Stages in order, each fault by itself."""

    def run_through(
        self, *stages: Stage, features: Features | None = None
    ) -> Deferred[Transformed]:
        """Send a message through stages."""
        one = draft(b"From: a@b.example\r\n\r\n", features=features)
        return Deferred.fromCoroutine(Pipeline(stages).run(one))

    def test_in_order(self) -> None:
        """Each stage gets what the one before it made."""
        done = self.successResultOf(self.run_through(writes("A"), writes("B")))
        self.assertEqual(b"B: x\r\nA: x\r\nFrom: a@b.example\r\n\r\n", bytes(done.draft.content))
        self.assertEqual((), done.problems)

    def test_wanted(self) -> None:
        """A message goes only through the stages that its features ask for."""
        stage = evolve(writes("A"), wanted=lambda features: features.inlinecss)
        off = self.successResultOf(self.run_through(stage))
        on = self.successResultOf(self.run_through(stage, features=Features(inlinecss=True)))
        self.assertEqual([1, 2], [len(each.draft.content.fields()) for each in (off, on)])

    def test_waits(self) -> None:
        """A stage may take its time."""
        later: Deferred[Draft] = Deferred()
        running = self.run_through(Stage("slow", always, lambda _: later), writes("B"))
        self.assertNoResult(running)
        later.callback(draft(b"To: c@d.example\r\n\r\n"))
        done = self.successResultOf(running)
        self.assertEqual(b"B: x\r\nTo: c@d.example\r\n\r\n", bytes(done.draft.content))

    def test_faults(self) -> None:
        """A stage that fails, now or later, is skipped and named; the others do their work."""

        def breaks(_: Draft) -> Draft:
            raise ValueError("no style sheet")

        done = self.successResultOf(
            self.run_through(
                writes("A"),
                Stage("now", always, breaks),
                Stage("later", always, lambda _: fail(KeyError("link"))),
                writes("B"),
            )
        )
        self.assertEqual(b"B: x\r\nA: x\r\nFrom: a@b.example\r\n\r\n", bytes(done.draft.content))
        self.assertEqual(["now", "later"], [each.stage for each in done.problems])
        self.assertIn("no style sheet", done.problems[0].reason)
        self.assertEqual(2, len(self.flushLoggedErrors(ValueError, KeyError)))

    def test_fault_in_the_question(self) -> None:
        """A stage that cannot even say whether it is wanted is skipped as well."""

        def breaks(_: Features) -> bool:
            raise ValueError

        done = self.successResultOf(self.run_through(Stage("asks", breaks, lambda each: each)))
        self.assertEqual(["asks"], [each.stage for each in done.problems])
        self.flushLoggedErrors(ValueError)
        self.assertIsInstance(done.draft.content, Content)
