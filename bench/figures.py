"""Names of the figures, their medians over rounds, and the table."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

Figures = dict[str, float]


@dataclass(frozen=True)
class Row:
    """
    A line of the table.

    Args:
        key: the figure's name in the JSON.
        label: the same for readers, with its unit.
        is_fraction: shown in percent.
        compared: whether a ratio says anything.
    """

    key: str
    label: str
    is_fraction: bool = False
    compared: bool = True


SATURATED_ROWS = (
    Row("accepted_per_second", "accepted, messages/s"),
    Row("delivered_per_second", "delivered, messages/s"),
    Row("server_cpu_ms", "server CPU, ms per message"),
    Row("load_busy", "generator and sink busy", is_fraction=True, compared=False),
    Row("turn_wall_p50_ms", "reactor turn, ms: p50", compared=False),
    Row("turn_wall_p99_ms", "  p99", compared=False),
    Row("turn_wall_p99_9_ms", "  p99.9", compared=False),
    Row("turn_wall_max_ms", "  max", compared=False),
    Row("turn_cpu_p99_ms", "  p99, CPU time of its thread", compared=False),
    Row("turn_cpu_max_ms", "  max, CPU time of its thread", compared=False),
)
FIXED_RATE_ROWS = (
    Row("rate", "sent at, messages/s", compared=False),
    Row("after_250_p50_ms", "250 to arrival, ms: p50"),
    Row("after_250_p99_ms", "  p99"),
    Row("after_content_p50_ms", "content to arrival, ms: p50"),
    Row("after_content_p99_ms", "  p99"),
    Row("load_busy", "generator and sink busy", is_fraction=True, compared=False),
    Row("turn_wall_p99_ms", "reactor turn, ms: p99", compared=False),
    Row("turn_wall_max_ms", "  max", compared=False),
)


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest of `values` that `percent` of them do not exceed; nan if there are none."""
    if not values:
        return math.nan
    position = math.ceil(len(values) * percent / 100) - 1
    return sorted(values)[max(position, 0)]


def medians(rounds: Iterable[Figures]) -> Figures:
    """Of each figure, its median over the rounds that have it."""
    collected: dict[str, list[float]] = {}
    for figures in rounds:
        for key, value in figures.items():
            if not math.isnan(value):
                collected.setdefault(key, []).append(value)
    return {key: median(values) for key, values in collected.items()}


def ratio(ours: float | None, theirs: float | None) -> float | None:
    """Ours by theirs, where both exist and are positive: below zero a ratio says nothing."""
    if ours is None or theirs is None or ours <= 0 or theirs <= 0:
        return None
    return ours / theirs


def table(
    title: str, columns: Sequence[tuple[str, Figures]], rows: Sequence[Row], base: str
) -> str:
    """
    Lay out figures: the base first, then each other column followed by its ratio to the base.

    Args:
        title: what was measured.
        columns: heading and figures; those without figures are left out.
        rows: which figures.
        base: the heading of the column to which the others are compared.

    Returns:
        Lines; nothing if no column has figures.
    """
    found = {heading: figures for heading, figures in columns if figures}
    if not found:
        return ""
    base_figures = found.pop(base, None)
    headings = [base] if base_figures is not None else []
    for heading in found:
        headings += [heading] if base_figures is None else [heading, "ratio"]
    lines = [title, _line("", headings)]
    for row in rows:
        cells = [_cell(row, base_figures)] if base_figures is not None else []
        for figures in found.values():
            cells.append(_cell(row, figures))
            if base_figures is not None:
                quotient = ratio(figures.get(row.key), base_figures.get(row.key))
                cells.append(f"{quotient:.2f}" if row.compared and quotient is not None else "")
        if any(cells):
            lines.append(_line(row.label, cells))
    return "\n".join(lines)


def _line(label: str, cells: Sequence[str]) -> str:
    return f"  {label:<31}" + "".join(f"{cell:>16}" for cell in cells).rstrip()


def _cell(row: Row, figures: Mapping[str, float]) -> str:
    value = figures.get(row.key)
    if value is None:
        return ""
    if row.is_fraction:
        return f"{value:.0%}"
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"
