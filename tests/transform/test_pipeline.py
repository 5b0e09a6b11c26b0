from __future__ import annotations

from attrs import evolve
from twisted.internet.defer import Deferred, TimeoutError, fail  # noqa: A004 - Twisted's
from twisted.internet.task import Clock
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import Content
from smtpeter.message.features import Features
from smtpeter.transform.draft import Draft, Run
from smtpeter.transform.pipeline import Pipeline, Stage, TooLarge, Transformed, always
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
        self.assertIn("no style sheet", done.problems[0].problem)
        self.assertEqual(2, len(self.flushLoggedErrors(ValueError, KeyError)))

    def test_noted(self) -> None:
        """Stages that a feature switches are noted with their time, others only when they fail."""
        stage = evolve(writes("A"), wanted=lambda features: features.inlinecss)
        done = self.successResultOf(
            self.run_through(stage, writes("B"), features=Features(inlinecss=True))
        )
        [run] = done.runs
        self.assertEqual(("A", ""), (run.stage, run.problem))
        self.assertGreaterEqual(run.seconds, 0)

    def test_notes_of_a_stage(self) -> None:
        """What a stage notes on the draft is told with the rest."""
        noted = Run("inlinecss", 0.5)
        done = self.successResultOf(
            self.run_through(Stage("several", always, lambda one: evolve(one, runs=(noted,))))
        )
        self.assertEqual((noted,), done.runs)

    def test_too_long(self) -> None:
        """A stage that does not come to an end in its time is skipped."""
        clock = Clock()
        forever = evolve(Stage("slow", always, lambda _: Deferred()), seconds=5.0)
        running = Deferred.fromCoroutine(
            Pipeline([forever, writes("B")], clock).run(draft(b"From: a@b.example\r\n\r\n"))
        )
        clock.advance(4.9)
        self.assertNoResult(running)
        clock.advance(0.2)
        done = self.successResultOf(running)
        self.assertEqual(b"B: x\r\nFrom: a@b.example\r\n\r\n", bytes(done.draft.content))
        self.assertEqual(["slow"], [each.stage for each in done.problems])
        self.flushLoggedErrors(TimeoutError)

    def test_too_large(self) -> None:
        """A message that is larger than a stage takes goes without it."""
        message = b"From: a@b.example\r\n\r\n"
        for octets, problems in ((len(message), []), (len(message) - 1, ["A"])):
            stage = evolve(writes("A"), octets=octets)
            done = self.successResultOf(
                Deferred.fromCoroutine(Pipeline([stage]).run(draft(message)))
            )
            self.assertEqual(problems, [each.stage for each in done.problems])
        self.assertEqual(1, len(self.flushLoggedErrors(TooLarge)))

    def test_postponing(self) -> None:
        """An error for which a message had better wait is no fault of the stage."""

        def waits(_: Draft) -> Draft:
            raise KeyError

        running = Pipeline([Stage("waits", always, waits)], postponing=(LookupError,)).run(
            draft(b"\r\n")
        )
        self.failureResultOf(Deferred.fromCoroutine(running), KeyError)

    def test_fault_in_the_question(self) -> None:
        """A stage that cannot even say whether it is wanted is skipped as well."""

        def breaks(_: Features) -> bool:
            raise ValueError

        done = self.successResultOf(self.run_through(Stage("asks", breaks, lambda each: each)))
        self.assertEqual(["asks"], [each.stage for each in done.problems])
        self.flushLoggedErrors(ValueError)
        self.assertIsInstance(done.draft.content, Content)
