"""
Measures how long CSS takes to be inlined: premailer, css-inline and juice against ours.

    python bench/inlining.py [--own] [--seconds S] [--only NAME ...] [--json FILE]

CPU time per mail, of our own mails and of templates out of npm packages. Cold is the first sight
of a mail in a program that has run for a while: nothing of its style sheet is remembered. Warm is
the same sheet again, as in a campaign. css-inline and juice remember no sheets: one figure each.
"""

import argparse
import contextlib
import json
import math
import sys
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from bench import inliners
from bench.inliners import Failed, Times, Unavailable
from bench.machine import SERVER_CORE, pinned
from tests.corpus.own import own_mails
from tests.corpus.packages import Unreachable, package_mails

NAMES = (
    "smtpeter cold",
    "smtpeter warm",
    "css-inline",
    "juice",
    "premailer cold",
    "premailer warm",
)

# What is compared: faster by so much at least, the second than the first.
GOALS = (
    ("premailer cold", "smtpeter cold", 5.0),
    ("juice", "smtpeter cold", 1.0),
    ("css-inline", "smtpeter warm", 0.5),
    ("premailer warm", "smtpeter warm", None),
)

_WARM_UP_ROUNDS = 2  # the first can end a process that never answers, and what it compiled
_ROUNDS = 3
_RUNS = 3
_WARM_UP_RUNS = 2

Figures = dict[str, dict[str, float]]
"""Mail to inliner to CPU milliseconds; an inliner that gave up on it is not there."""


def measure(mails: dict[str, str], contenders: dict[str, Times], seconds: float) -> Figures:
    """
    Let all inliners do all mails, one after the other, in rounds.

    Args:
        seconds: for each mail and inliner, in all rounds together.
    """
    runs: dict[str, dict[str, list[float]]] = {mail: {} for mail in mails}
    failed: set[tuple[str, str]] = set()
    for number in range(_WARM_UP_ROUNDS + _ROUNDS):
        for mail, html in mails.items():
            for name, times in contenders.items():
                if (mail, name) in failed:
                    continue
                try:
                    if number < _WARM_UP_ROUNDS:  # engines compile, caches fill
                        times(html, 0, _WARM_UP_RUNS)
                        continue
                    figures = times(html, seconds / _ROUNDS, _RUNS)
                    runs[mail].setdefault(name, []).extend(figures)
                except Failed as error:
                    failed.add((mail, name))
                    print(f"{name} gives up on {mail}: {error}", file=sys.stderr)
    return {
        mail: {name: median(figures) for name, figures in found.items()}
        for mail, found in runs.items()
    }


def geometric_mean(values: Iterable[float]) -> float:
    logarithms = [math.log(value) for value in values]
    return math.exp(sum(logarithms) / len(logarithms)) if logarithms else math.nan


def mean_ratio(figures: Figures, first: str, second: str) -> tuple[float, int]:
    """How often the time of the second goes into that of the first, over the mails both did."""
    ratios = [
        found[first] / found[second]
        for found in figures.values()
        if first in found and second in found
    ]
    return geometric_mean(ratios), len(ratios)


def show(mails: dict[str, str], figures: Figures) -> None:
    print("CPU milliseconds per mail")
    print(f"  {'':<52}{'KiB':>6}" + "".join(f"{name:>16}" for name in NAMES))
    for mail, found in figures.items():
        cells = [f"{found[name]:16.3f}" if name in found else f"{'-':>16}" for name in NAMES]
        print(f"  {mail[-52:]:<52}{len(mails[mail].encode()) / 1024:6.1f}{''.join(cells)}")
    means = (
        geometric_mean(found[name] for found in figures.values() if name in found) for name in NAMES
    )
    print(f"  {'geometric mean':<58}" + "".join(f"{mean:16.3f}" for mean in means))
    print("geometric means of the ratios")
    for first, second, goal in GOALS:
        ratio, number = mean_ratio(figures, first, second)
        if number:
            wanted = "" if goal is None else f"   goal: at least {goal:g}"
            print(f"  {f'{first} / {second}':<40}{ratio:10.2f}   over {number} mails{wanted}")


def _measured(mails: dict[str, str], only: list[str], seconds: float) -> Figures:
    makers: dict[str, Callable[[], Times]] = {
        "smtpeter cold": lambda: inliners.ours(cold=True),
        "smtpeter warm": lambda: inliners.ours(cold=False),
        "css-inline": inliners.css_inline,
        "premailer cold": lambda: inliners.premailer(cold=True),
        "premailer warm": lambda: inliners.premailer(cold=False),
    }
    wanted = [name for name in NAMES if not only or name.split()[0] in only]
    with contextlib.ExitStack() as stack:
        contenders: dict[str, Times] = {}
        for name in wanted:
            if name in makers:
                contenders[name] = makers[name]()
            else:
                directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="smtpeter-"))
                juice = inliners.Juice(Path(directory))
                stack.callback(juice.close)
                contenders[name] = juice.times
        return measure(mails, contenders, seconds)


def main() -> int:
    parser = argparse.ArgumentParser(description="Measures inliners of CSS against each other.")
    add = parser.add_argument
    add("--own", action="store_true", help="only our own mails, nothing is fetched")
    add("--seconds", type=float, default=0.3, help="for each mail and inliner (default 0.3)")
    add("--only", nargs="+", default=[], choices=sorted({name.split()[0] for name in NAMES}))
    add("--json", type=Path, metavar="FILE", help="also write all figures there")
    options = parser.parse_args()
    mails = own_mails()
    try:
        if not options.own:
            mails |= package_mails()
        mails = {name: html for name, html in mails.items() if "<style" in html.lower()}
        with pinned(SERVER_CORE):
            figures = _measured(mails, options.only, options.seconds)
    except (Unreachable, Unavailable) as error:
        print(f"inlining.py: {error}", file=sys.stderr)
        return 1
    show(mails, figures)
    if options.json is not None:
        options.json.write_text(json.dumps(figures, indent=1) + "\n", "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
