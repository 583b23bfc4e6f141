"""Numbers as people read them, each with its interval or the reason why there is none."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from spinedet.scoring import Estimate

DASH = "–"
MINUS = "−"
DEGENERATE, INCOMPLETE = "†", "‡"
# Marks of intervals and their meaning.
MARKS = {
    DEGENERATE: "every replicate gave this very value, so the interval says nothing of the uncertainty",
    INCOMPLETE: "some replicates were undefined, the interval rests on the others",
}


@dataclass(frozen=True, slots=True)
class Shown:
    """An estimate in words: its value or a dash, its interval (may be empty), and what to know about either."""

    value: str
    interval: str = ""
    remark: str = ""


def shown(estimate: Estimate, digits: int = 3) -> Shown:
    """An estimate for a table's cell."""
    if estimate.value is None:
        return Shown(DASH, remark=estimate.reason or "undefined")
    value = plain(estimate.value, digits)
    if estimate.low is None or estimate.high is None:
        return Shown(value, remark=estimate.reason or "no interval")
    marks = DEGENERATE * estimate.degenerate + INCOMPLETE * (estimate.undefined_replicates > 0)
    between = " to " if estimate.low < 0 else "–"
    return Shown(value, f"{plain(estimate.low, digits)}{between}{plain(estimate.high, digits)}{marks}")


def two_lines(estimate: Estimate) -> str:
    """An estimate for a terminal's cell: its value, and below it the interval or what to know."""
    cell = shown(estimate)
    return f"{cell.value}\n{cell.interval or cell.remark}"


def plain(value: float, digits: int = 3) -> str:
    """A number with a true minus sign."""
    text = f"{value:.{digits}f}"
    return text.replace("-", MINUS) if float(text) else text.lstrip("-")


def p_value(value: float, digits: int = 3) -> str:
    """A p value, below its last digit as a bound."""
    least = 10.0**-digits
    return plain(value, digits) if value >= least / 2 else f"< {least:.{digits}f}"


def signed(estimate: Estimate, digits: int = 3) -> Shown:
    """A difference, with its sign in front."""
    cell = shown(estimate, digits)
    rises = estimate.value is not None and round(estimate.value, digits) > 0
    return Shown(f"+{cell.value}" if rises else cell.value, cell.interval, cell.remark)


def in_words(estimate: Estimate, confidence: float) -> str:
    """For running text: `0.914 (95% interval 0.871 to 0.948)`."""
    cell = shown(estimate)
    if estimate.low is None or estimate.high is None:
        return f"{'undefined' if estimate.value is None else cell.value} ({cell.remark})"
    if estimate.degenerate:
        return f"{cell.value} (no interval: every resample gave this value)"
    return f"{cell.value} ({percent(confidence)} interval {plain(estimate.low)} to {plain(estimate.high)})"


def percent(share: float) -> str:
    """`95%`."""
    return f"{100 * share:g}%"


def counted(number: int, thing: str) -> str:
    """`1 scan`, `12 scans`; a study makes studies."""
    if number == 1:
        return f"1 {thing}"
    return f"{number:,} {thing.removesuffix('y')}ies" if thing.endswith("dy") else f"{number:,} {plural(thing)}"


def verb(number: int, one: str, several: str) -> str:
    """The verb of so many things: `1 study counts`, `2 studies count`."""
    return one if number == 1 else several


def plural(thing: str) -> str:
    """Series stay series."""
    return thing if thing.endswith("s") else f"{thing}s"


def listed(words: Sequence[str]) -> str:
    """`A, B and C`."""
    return " and ".join([*([", ".join(words[:-1])] if words[1:] else []), *words[-1:]])
