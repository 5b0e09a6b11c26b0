from __future__ import annotations

import quopri
from base64 import b64encode
from collections.abc import Callable, Collection, Sequence
from typing import Any

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred, fail, succeed
from twisted.trial.unittest import SynchronousTestCase

from smtpeter.message.content import BLOCK_OCTETS, Content
from smtpeter.message.features import Features
from smtpeter.reworking import Reworking, concerns, mentions_webversion
from smtpeter.transform.draft import Draft
from smtpeter.transform.hosting import HostedImage
from smtpeter.transform.identifier import Identifiers
from smtpeter.transform.rework import Stage
from smtpeter.transform.textstages import FillInWebVersion, TrackLinks, TrackOpens
from smtpeter.transform.trackedurl import resolve
from smtpeter.workers.job import JobLost, WorkersBusy
from tests.transform.drafts import draft

BASE = "https://clicks.shop.example"
ALL = (FillInWebVersion(BASE), TrackLinks(BASE), TrackOpens(BASE))
IDENTIFIERS = Identifiers(b"k" * 32)
NEWSLETTER = (
    b"From: a@b.example\r\nContent-Type: text/html\r\n\r\n"
    b'<a href="https://shop.example/boots?a=1">boots</a> {$webversion}\r\n'
)


class ReworkingTests(SynchronousTestCase):
    """Messages of a submission."""

    def setUp(self) -> None:
        self.jobs: list[tuple[float, Sequence[Stage]]] = []
        self.hold: Deferred[None] | None = None
        self.loses: set[str] = set()
        self.kept: list[Sequence[HostedImage]] = []
        self.numbers: Callable[[Collection[str]], Deferred[dict[str, int]]] = lambda texts: succeed(
            {text: number for number, text in enumerate(sorted(texts), start=7)}
        )
        self.reworking = Reworking(
            self.call,
            lambda _: succeed(ALL),
            IDENTIFIERS,
            lambda texts: self.numbers(texts),  # noqa: PLW0108 - tests change it
            self.keep_images,
        )

    def call(self, seconds: float, function: Callable[..., Any], *args: Any) -> Deferred[Any]:
        _, stages = args
        self.jobs.append((seconds, stages))
        if self.loses & {stage.name for stage in stages}:
            return fail(JobLost("it was not done in 5 seconds"))
        if self.hold is not None:
            return self.hold.addCallback(lambda _: function(*args))
        return succeed(function(*args))

    def keep_images(self, _: Draft, images: Sequence[HostedImage]) -> Deferred[None]:
        self.kept.append(images)
        return succeed(None)

    def apply(self, one: Draft) -> Deferred[Draft]:
        result = self.reworking.apply(one)
        assert isinstance(result, Deferred)
        return result

    def newsletter(self, message_id: str = "7hQx2LmPzR9aTc04", submission: int = 5) -> Draft:
        one = draft(NEWSLETTER, features=Features(trackclicks=True))
        return evolve(one, message_id=message_id, submission=submission)

    def link(self, done: Draft) -> tuple[str, int, str]:
        """Whose link it is, its origin, and where it leads there."""
        target = bytes(done.content).partition(b"https://clicks.shop.example")[2].partition(b'"')[0]
        found = resolve(target, IDENTIFIERS.read)
        assert found is not None
        return found.identified.message_id, found.identified.origin, found.rest

    def test_once_for_all(self) -> None:
        """A submission is reworked once, and each of its messages has links of its own."""
        for message_id in ("a" * 16, "b" * 16):
            done = self.successResultOf(self.apply(self.newsletter(message_id)))
            self.assertEqual((message_id, 7, "/boots?a=1"), self.link(done))
            names = [run.stage for run in done.runs]
            self.assertEqual(["read", "webversion", "trackclicks", "trackopens", "write"], names)
        self.assertEqual(1, len(self.jobs))

    def test_joins(self) -> None:
        """A message that comes while its submission is being reworked waits for that."""
        self.hold = Deferred()
        asked = [self.apply(self.newsletter(each * 16)) for each in "ab"]
        self.assertNoResult(asked[1])
        self.hold.callback(None)
        self.assertEqual(
            ["a" * 16, "b" * 16], [self.link(self.successResultOf(each))[0] for each in asked]
        )
        self.assertEqual(1, len(self.jobs))

    def test_other_submission(self) -> None:
        """Another submission is another job, and so is a message that is alone."""
        for submission in (5, 6, 0, 0):
            self.successResultOf(self.apply(self.newsletter(submission=submission)))
        self.assertEqual(4, len(self.jobs))

    def test_same_again(self) -> None:
        """A second attempt sends the same octets as the first."""
        first, second = (self.successResultOf(self.apply(self.newsletter())) for _ in range(2))
        self.assertEqual(bytes(first.content), bytes(second.content))

    def test_endless_stage(self) -> None:
        """A stage that does not come to an end is found and left out, once for the submission."""
        self.loses = {"trackclicks"}
        for _ in range(2):
            done = self.successResultOf(self.apply(self.newsletter()))
            problems = [(run.stage, run.problem) for run in done.runs if run.problem]
            self.assertEqual([("trackclicks", "it was not done in 5 seconds")], problems)
            self.assertIn(b"https://clicks.shop.example/webversion/", bytes(done.content))
            self.assertIn(b"https://shop.example/boots", bytes(done.content))
        self.assertEqual(4, len(self.jobs))

    def test_busy(self) -> None:
        """What is nobody's fault is tried again with the next message."""
        self.patch(self.reworking, "_call", lambda *_: fail(WorkersBusy()))
        self.failureResultOf(self.apply(self.newsletter()), WorkersBusy)
        self.patch(self.reworking, "_call", self.call)
        self.successResultOf(self.apply(self.newsletter()))

    def test_no_numbers(self) -> None:
        """Without numbers for its origins no message is made."""
        self.numbers = lambda _: fail(LookupError())
        self.failureResultOf(self.apply(self.newsletter()), LookupError)

    def test_page(self) -> None:
        """The web version has the links of the message, and opening it counts for nothing."""
        sent = self.successResultOf(self.apply(self.newsletter()))
        page = self.successResultOf(self.reworking.page(self.newsletter()))
        assert page is not None
        target = bytes(sent.content).partition(b'href="')[2].partition(b'"')[0]
        self.assertIn(f'href="{target.decode()}"', page)
        self.assertNotIn("<img", page)
        self.assertNotIn("TrackOpens", str(self.jobs[-1]))

    def test_nothing_to_do(self) -> None:
        """A message without features and places stays what it is, at once."""
        one = draft(b"From: a@b.example\r\n\r\nhello\r\n")
        self.assertIs(one, self.reworking.apply(one))
        self.assertEqual([], self.jobs)


class ConcernsTests(SynchronousTestCase):
    """Which messages are looked at closely."""

    def test_features(self) -> None:
        """Each feature that changes texts counts, the others do not."""
        for features, expected in (
            (Features(inlinecss=True), True),
            (Features(trackclicks=True), True),
            (Features(trackopens=True), True),
            (Features(images="hosted"), True),
            (Features(trackbounces=True, preventscam=True), False),
        ):
            self.assertEqual(expected, concerns(draft(b"\r\n", features=features)), features)

    def test_arrivals(self) -> None:
        """What is sent on as it came is never looked at."""
        came = draft(b"\r\n{$webversion}\r\n")
        self.assertTrue(concerns(came))
        self.assertFalse(concerns(evolve(came, origin="arrival")))

    @given(
        st.text("ab \u00fc<>\n", max_size=300),
        st.text("ab \u00fc<>\n", max_size=300),
        st.sampled_from(["plain", "base64", "quoted-printable"]),
        st.integers(1, 80),
    )
    def test_webversion(self, before: str, after: str, encoding: str, width: int) -> None:
        """The place for the web version is seen, however it is encoded and wherever lines end."""
        body = f"{before}{{$webversion}}{after}".encode()
        if encoding == "base64":
            body = b64encode(body)
            body = b"\r\n".join(body[at : at + width] for at in range(0, len(body), width))
        elif encoding == "quoted-printable":
            body = quopri.encodestring(body).replace(b"\n", b"\r\n")
        header = f"Content-Transfer-Encoding: {encoding}\r\n\r\n".encode()
        self.assertTrue(mentions_webversion(Content.from_blocks([header + body])))

    def test_across_blocks(self) -> None:
        """It is seen where two blocks meet."""
        block = b"\r\n" + b"x" * (BLOCK_OCTETS - 8) + b"{$webv"
        self.assertTrue(mentions_webversion(Content.from_blocks([block, b"ersion}\r\n"])))

    def test_absent(self) -> None:
        """Most messages have none."""
        content = Content.from_blocks([b"\r\n", b64encode(bytes(range(256)) * 20)])
        self.assertFalse(mentions_webversion(content))
