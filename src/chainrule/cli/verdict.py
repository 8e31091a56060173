"""What a gradient check found, told to people."""

from __future__ import annotations

from chainrule.calculus.check import GradientReport


def in_words(report: GradientReport) -> str:
    """The relative error, what it means by the rules of the lecture, and what became of kinks.

    >>> in_words(GradientReport(3e-9, order=1))
    'relative error 3.0e-09: good'
    """
    if not report.compared:
        return report.verdict
    words = f"relative error {report.relative_error:.1e}: {report.verdict}"
    if report.kinks:
        words += "; directions that cross a kink (a max, say, whose winner changes within the step) were left out"
    return words
