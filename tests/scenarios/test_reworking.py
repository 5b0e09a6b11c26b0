from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import partial
from hashlib import sha256

from attrs import evolve, frozen
from twisted.internet import reactor
from twisted.internet.defer import Deferred, DeferredList, succeed
from twisted.trial.unittest import TestCase

from smtpeter import reworking
from smtpeter.message.features import ALL_ON
from smtpeter.reworking import Reworking
from smtpeter.transform.draft import Draft
from smtpeter.transform.hosting import HostedImage
from smtpeter.transform.identifier import Identifiers
from smtpeter.transform.marks import Marks
from smtpeter.transform.pipeline import Pipeline, Stage, Transformed, always
from smtpeter.transform.rework import BODY_OCTETS, Body
from smtpeter.transform.rework import Stage as TextStage
from smtpeter.transform.textstages import FillInWebVersion, InlineCss, TrackLinks, TrackOpens
from smtpeter.workers.pool import Workers
from smtpeter.workers.process import WorkerProcess
from tests.transform.drafts import draft
from tests.workers.jobs import dies, never_ends

BASE = "https://clicks.shop.example"
STAGES = (InlineCss(), FillInWebVersion(BASE), TrackLinks(BASE), TrackOpens(BASE))
HEADER = b"From: a@b.example\r\nContent-Type: text/html; charset=utf-8\r\n\r\n"
HTML = (
    b"<style>b { color: red }</style>\r\n<b>gr\xc3\xbc\xc3\x9fe</b>\r\n"
    b'<a href="https://shop.example/boots">boots</a>\r\n{$webversion}\r\n'
)


@frozen
class NeverEnds:
    """A stage with a fault."""

    name: str = "endless"
    seconds: float = 0.5

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> Sequence[Body]:  # noqa: ARG002
        never_ends()
        return bodies


@frozen
class Dies:
    """A stage with another."""

    name: str = "deadly"
    seconds: float = 0.5

    def __call__(self, bodies: Sequence[Body], marks: Marks) -> Sequence[Body]:  # noqa: ARG002
        dies()
        return bodies


def numbers_of(texts: Collection[str]) -> Deferred[dict[str, int]]:
    return succeed({text: number for number, text in enumerate(sorted(texts), start=1)})


def keep_images(_: Draft, images: Sequence[HostedImage]) -> Deferred[None]:
    raise AssertionError(images)


class ReworkingTests(TestCase):
    """The pipeline with real stages in real processes."""

    timeout = 120

    def setUp(self) -> None:
        self.workers = Workers(
            1,
            partial(WorkerProcess, reactor=reactor, modules=["smtpeter.transform.inlinecss"]),
            reactor,
        )
        self.workers.startService()
        self.addCleanup(self.workers.stopService)

    def pipeline(self, *stages: TextStage) -> Pipeline:
        texts = Reworking(
            self.workers.call,
            lambda _: succeed(stages),
            Identifiers(b"k" * 32),
            numbers_of,
            keep_images,
        )
        return Pipeline([Stage("rework", always, texts.apply)])

    def newsletter(self, octets: bytes = HEADER + HTML, submission: int = 1) -> Draft:
        return evolve(draft(octets, features=ALL_ON), submission=submission)

    def problems(self, done: Transformed) -> list[str]:
        return [run.stage for run in done.problems]

    async def test_everything(self) -> None:
        """A newsletter comes back with its styles inlined, its links and its pixel."""
        done = await self.pipeline(*STAGES).run(self.newsletter())
        sent = bytes(done.draft.content)
        self.assertEqual([], self.problems(done))
        self.assertIn(b'<b style="color:red">gr\xc3\xbc\xc3\x9fe</b>\r\n<a href="', sent)
        self.assertIn(b'href="https://clicks.shop.example/boots-', sent)
        self.assertIn(b"https://clicks.shop.example/webversion/", sent)
        self.assertIn(b"<img", sent)
        self.assertNotIn(b"<style", sent)

    async def test_many_recipients(self) -> None:
        """Each recipient of a submission gets links of his own, and all else alike."""
        pipeline = self.pipeline(*STAGES)
        ids = [sha256(bytes([each])).hexdigest()[:16] for each in range(50)]
        running = [
            Deferred.fromCoroutine(pipeline.run(evolve(self.newsletter(), message_id=each)))
            for each in ids
        ]
        done = [result for _, result in await DeferredList(running)]
        sent = [bytes(each.draft.content) for each in done]
        self.assertEqual(50, len(set(sent)))
        alike = {
            octets.replace(message_id.encode(), b"")[: octets.index(b"boots-")]
            for octets, message_id in zip(sent, ids, strict=True)
        }
        self.assertEqual(1, len(alike))
        for octets, message_id in zip(sent, ids, strict=True):
            self.assertEqual(3, octets.count(message_id.encode()))

    async def test_faults(self) -> None:
        """Stages that hang or take their process with them are left out; the others work."""
        self.patch(reworking, "READING_SECONDS", 0.5)
        quick = (FillInWebVersion(BASE, seconds=0.5), TrackLinks(BASE, seconds=0.5))
        done = await self.pipeline(NeverEnds(), *quick, Dies()).run(self.newsletter())
        self.assertEqual({"endless", "deadly"}, set(self.problems(done)))
        sent = bytes(done.draft.content)
        self.assertIn(b"https://clicks.shop.example/webversion/", sent)
        self.assertIn(b'href="https://clicks.shop.example/boots-', sent)

    async def test_too_large(self) -> None:
        """HTML of 20 MiB goes out as it came, and it is said why."""
        octets = HEADER + (b"<b>" + b"x" * 73 + b"\r\n") * (20 * 1024 * 1024 // 78)
        self.assertGreater(len(octets), BODY_OCTETS)
        done = await self.pipeline(*STAGES).run(self.newsletter(octets))
        self.assertEqual(octets, bytes(done.draft.content))
        [problem] = done.problems
        self.assertEqual("read", problem.stage)
        self.assertIn(str(BODY_OCTETS), problem.problem)
