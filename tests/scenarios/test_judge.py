from twisted.trial.unittest import SynchronousTestCase

from tests.scenarios.judge import Mode, Verdict, court

WIDE = 1000


class JudgeTests(SynchronousTestCase):
    """The judge finds what is wrong, and only that."""

    STYLE = "<style>p, p:hover { color: red; margin: 0 } @media all { p { color: blue } }</style>"
    BODY = "<p>one<p>two"

    def verdict(self, after: str, mode: Mode = Mode.STATIC, width: int = WIDE) -> Verdict:
        return court().verdict("mail", self.STYLE + self.BODY, after, mode, width)

    def test_inlined(self) -> None:
        """Nothing differs where every static rule was inlined; at-rules are not asked for."""
        style = '<p style="color: #f00; margin: 0 0 0 0">'
        verdict = self.verdict(f"{style}one{style}two")
        self.assertEqual((10, ()), (verdict.judged, verdict.differences))
        self.assertEqual(100.0, verdict.percent)

    def test_left(self) -> None:
        """What was not inlined is missed, and named with the rule that set it."""
        verdict = self.verdict('<p style="color: red; margin: 0">one<p style="margin: 0">two')
        [difference] = verdict.differences
        self.assertEqual(
            "html > body > p (element 3): color [p] is 'rgb(0, 0, 0)' instead of 'rgb(255, 0, 0)'",
            str(difference),
        )
        self.assertEqual(90.0, verdict.percent)

    def test_too_much(self) -> None:
        """A value on an element that no rule names is a fault too."""
        style = '<p style="color: red; margin: 0">'
        verdict = self.verdict(f'<body style="color: lime">{style}one{style}two')
        self.assertEqual(["body"], [each.element.split()[-1] for each in verdict.differences])

    def test_elements(self) -> None:
        """Nothing is right in a mail whose elements are others."""
        self.assertEqual(0.0, self.verdict("<p>one").percent)

    def test_whole(self) -> None:
        """Whole mails are compared with their at-rules."""
        unchanged = self.STYLE + self.BODY
        self.assertEqual(100.0, self.verdict(unchanged, Mode.WHOLE).percent)
        beaten = self.STYLE + '<p style="color: red; margin: 0">one<p>two'
        self.assertEqual(1, len(self.verdict(beaten, Mode.WHOLE).differences))
