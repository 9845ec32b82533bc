"""What a comparison of calibrations found, in sentences that are computed from its figures.

A difference is called shown if its paired 95 % bootstrap interval excludes 0. The intervals are not
corrected for their number.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from alworkbench.calibration_study.plan import CalibrationKind, PromptKind

if TYPE_CHECKING:
    from alworkbench.calibration_study.calibration_figures import Measured
    from alworkbench.calibration_study.result import StudyResult, StudyRow

HOW_TO_READ = (
    "Every figure has a 95 % bootstrap interval over the images. All rows see the same resamples, so "
    "differences are compared in pairs. Many rows are compared and no interval is corrected for that: of "
    "20 differences that are not there, one is shown by chance. No best row is marked, because the first of "
    "many looks better than it is."
)


def headline(result: StudyResult) -> str:
    """The row of lowest NLPD beside the reference, and how many rows it cannot be told from."""
    best = min(result.rows, key=lambda row: row.figures.nlpd.value)
    reference = result.reference
    if best is reference:
        return (
            f"No other row has a lower NLPD than “{reference.name}”: "
            f"{figure_words(reference.figures.nlpd)}."
        )
    alike = sum(
        not each.figures.nlpd.apart(best.figures.nlpd) for each in result.rows if each is not best
    )
    return (
        f"“{best.name}” has the lowest NLPD of {len(result.rows)} rows: {best.figures.nlpd.value:.3f} "
        f"nats, against {reference.figures.nlpd.value:.3f} of “{reference.name}”. The difference is "
        f"{signed_words(best.difference['nlpd'])}. The intervals of {alike} other rows overlap with it."
    )


def findings(result: StudyResult) -> tuple[str, ...]:
    """Sentences on temperatures, the posterior, the prompts, tuning, ATFD and seconds."""
    found = [
        _overconfidence(result),
        _step(result, CalibrationKind.TEMPERATURE, "A temperature"),
        _step(result, CalibrationKind.PROBIT, "The posterior variance (probit) alone"),
        *(_prompts(result, kind) for kind in result.kinds),
        _tuned_calibration(result),
        dispersion_words(result),
        _seconds(result),
    ]
    return tuple(each for each in found if each)


def dispersion_words(result: StudyResult) -> str:
    """The correlation of ATFD with ECE over templates of nearly the best accuracy, whatever its sign."""
    found = result.correlation
    about = (
        f"Over the {len(result.near_best)} of {len(result.ranking.templates)} templates within 3 points of "
        f"the best accuracy"
    )
    if found is None:
        return f"{about}, there is no correlation of ATFD with ECE to state: too few templates."
    if found.pearson.high < 0:
        verdict = "A larger ATFD goes with a smaller calibration error here, as was published"
    elif found.pearson.low > 0:
        verdict = (
            "A larger ATFD goes with a larger calibration error here: the opposite was published"
        )
    else:
        verdict = (
            "The interval of r contains 0: these templates do not show the published correlation"
        )
    return (
        f"{about}, ATFD and ECE correlate with r = {signed_words(found.pearson, 2)} (Pearson) and "
        f"{signed_words(found.spearman, 2)} (Spearman). {verdict}."
    )


def figure_words(found: Measured, digits: int = 3) -> str:
    """`0.263 [0.240, 0.294]`."""
    return f"{found.value:.{digits}f} [{found.low:.{digits}f}, {found.high:.{digits}f}]"


def signed_words(found: Measured, digits: int = 3) -> str:
    """`-0.429 [-0.601, -0.302]`."""
    return f"{found.value:+.{digits}f} [{found.low:+.{digits}f}, {found.high:+.{digits}f}]"


def seconds_words(seconds: float) -> str:
    """Three digits: `13.2 ms`, or seconds from 1 s on."""
    return f"{digits_of(seconds * 1000)} ms" if seconds < 1 else f"{digits_of(seconds)} s"


def digits_of(value: float) -> str:
    """A positive number with three digits and no exponent: `0.0123`, `13.2`, `205`."""
    decimals = max(0, 2 - math.floor(math.log10(value))) if value > 0 else 0
    return f"{value:,.{decimals}f}"


def _range(values: Sequence[float], digits: int = 3) -> str:
    low, high = f"{min(values):+.{digits}f}", f"{max(values):+.{digits}f}"
    return low if low == high else f"{low} to {high}"


def _of(result: StudyResult, kind: CalibrationKind) -> list[StudyRow]:
    return [row for row in result.rows if row.calibration is kind]


def _overconfidence(result: StudyResult) -> str:
    surplus = [row.figures.overconfidence for row in _of(result, CalibrationKind.PLAIN)]
    words = "Without calibration, mean confidence minus accuracy is "
    return f"{words}{_range(surplus)} over the kinds of prompts."


def _step(result: StudyResult, kind: CalibrationKind, what: str) -> str:
    """What one calibration changes in NLPD against the same prompts without it."""
    steps = [row.over_plain["nlpd"] for row in _of(result, kind)]
    words = f"{what} changes NLPD by {_range([each.value for each in steps])} nats"
    return f"{words}; {_shown(steps)}."


def _shown(steps: Sequence[Measured]) -> str:
    better = sum(each.high < 0 for each in steps)
    worse = sum(each.low > 0 for each in steps)
    parts = [
        f"{words} for {count} of {len(steps)} kinds of prompts"
        for words, count in (("shown to be lower", better), ("shown to be higher", worse))
        if count
    ]
    return " and ".join(parts) or "shown for no kind of prompts"


def _prompts(result: StudyResult, kind: PromptKind) -> str:
    """One kind of prompts against the reference, both without calibration."""
    row, reference = result.row(kind, CalibrationKind.PLAIN), result.reference
    if row is None or row is reference:
        return ""
    found: Mapping[str, Measured] = row.difference
    shown = [name for name in ("accuracy", "nlpd") if found[name].without_zero]
    verdict = {
        0: "Neither difference is shown",
        1: f"The difference of {_NAMES[shown[0]]} is shown" if shown else "",
        2: "Both differences are shown",
    }[len(shown)]
    return (
        f"{kind.value[0].upper()}{kind.value[1:]} against “{reference.name}”: accuracy "
        f"{signed_words(found['accuracy'])}, NLPD {signed_words(found['nlpd'])}. {verdict}."
    )


_NAMES = {"accuracy": "accuracy", "nlpd": "NLPD"}


def _tuned_calibration(result: StudyResult) -> str:
    """Whether C-TPT is better calibrated than TPT."""
    rows = [result.row(kind, CalibrationKind.PLAIN) for kind in (PromptKind.TPT, PromptKind.C_TPT)]
    tpt, c_tpt = (None if row is None else row.figures.ece for row in rows)
    if tpt is None or c_tpt is None:
        return ""
    verdict = "do not overlap" if tpt.apart(c_tpt) else "overlap"
    return (
        f"The calibration error of TPT is {figure_words(tpt)}, that of C-TPT {figure_words(c_tpt)}; their "
        f"intervals {verdict}."
    )


def _seconds(result: StudyResult) -> str:
    """What tuning costs against a prompt that is the same for all images."""
    tuned = [row for row in _of(result, CalibrationKind.PLAIN) if row.prompts.tuned]
    fixed = [row for row in _of(result, CalibrationKind.PLAIN) if not row.prompts.tuned]
    if not tuned or not fixed:
        return ""
    base = fixed[0].seconds.value
    parts = [
        f"{row.prompts.value} takes {seconds_words(row.seconds.value)} an image, "
        f"{row.seconds.value / base:.0f} times as long ({seconds_words(row.seconds_known.value)} where the "
        f"features of its views are known)"
        for row in tuned
    ]
    return f"A fixed prompt takes {seconds_words(base)} an image. {'; '.join(parts)}."
