import functools

from twisted.trial.unittest import SynchronousTestCase

from smtpeter.transform.inlinecss import Inliner
from tests.corpus.own import own_mails
from tests.corpus.packages import Unreachable, package_mails
from tests.scenarios.judge import Mode, Verdict, judge_all, percent_of, report
from tests.scenarios.programs import missing, require

WIDE, NARROW = 1000, 400

# At least so much of the computed values is as before: of all mails together, and of each.
TOGETHER_PERCENT = 99.5
EACH_PERCENT = 98.0

_UNTAGGED = (
    "a rule for all elements sets what no other element hands down, and the tables have tbody"
    " elements without a tag in the source: there is no place for an attribute"
)

# Mails without style sheets of which less is right, how much at least, and why.
KNOWN = {
    "mailgen/themes/default/index.html": (97.0, _UNTAGGED),
}


@functools.cache
def corpus() -> dict[str, str]:
    """Our own mails and those of others."""
    require("npm")
    try:
        return own_mails() | package_mails()
    except Unreachable as error:
        missing(str(error))


class InliningTests(SynchronousTestCase):
    """Mails look in a browser as their style sheets say, after these were inlined."""

    def test_without_style_sheets(self) -> None:
        """What static rules set is there when the client drops every style sheet."""
        verdicts = self.judged(Mode.STATIC, WIDE)
        least = {name: percent for name, (percent, _reason) in KNOWN.items()}
        poor = [each for each in verdicts if each.percent < least.get(each.name, EACH_PERCENT)]
        self.assertEqual([], poor, f"\n{report(poor)}")

    def test_wide(self) -> None:
        """With all that was delivered, a mail in a wide window looks as it was written."""
        self.whole(WIDE)

    def test_narrow(self) -> None:
        """With all that was delivered, a mail in a narrow window looks as it was written."""
        self.whole(NARROW)

    def whole(self, width: int) -> None:
        poor = [each for each in self.judged(Mode.WHOLE, width) if each.percent < EACH_PERCENT]
        self.assertEqual([], poor, f"\n{report(poor)}")

    def judged(self, mode: Mode, width: int) -> list[Verdict]:
        verdicts = judge_all(corpus(), Inliner().inline, mode, width)
        self.assertGreaterEqual(len(verdicts), 40)
        self.assertGreaterEqual(percent_of(verdicts), TOGETHER_PERCENT, f"\n{report(verdicts)}")
        return verdicts
