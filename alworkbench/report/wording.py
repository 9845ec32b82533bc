"""Figures in words: labels, levels, differences, saving factors and p, with what is unknown."""

from __future__ import annotations

import math
from collections.abc import Sequence

from alworkbench.evaluation.curves import NO_SHARES
from alworkbench.evaluation.intervals import Estimate
from alworkbench.evaluation.label_savings import Reach, Saving, Target

METRIC_WORDS = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro F1",
    "nlpd": "negative log probability",
    "brier": "Brier score",
    "ece": "calibration error",
}

_LEARNER_WORDS = {"probe": "a linear probe", "free-weights": "the linearised learner"}


def learner_words(method: str) -> str:
    """A learning method in words."""
    return _LEARNER_WORDS.get(method, f"the learning method {method}")


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def labels_words(found: Reach) -> str:
    """'48 labels [41, 57]', or what is known where runs ended before the target."""
    runs_there = f"{found.reached} of {len(found.labels)} runs reached it"
    if found.typical is None:
        if found.reached == 0:
            return f"more than {found.budget:g} labels (no run reached it)"
        return f"over {math.floor(found.low)} labels ({runs_there} within {found.budget:g})"
    if found.typical > found.budget * (1 + 1e-9):
        text = f"over {found.budget:g} labels"
    else:
        text = f"{found.typical:.0f} {'label' if round(found.typical) == 1 else 'labels'}"
    if len(found.labels) > 1 and found.high is not None:
        high = (
            f"over {found.budget:g}"
            if found.high > found.budget * (1 + 1e-9)
            else f"{found.high:.0f}"
        )
        text += f" [{found.low:.0f}, {high}]"
    if found.reached < len(found.labels):
        text += f" ({runs_there} within {found.budget:g})"
    return text


def level_words(target: Target) -> str:
    """'accuracy 71.2 %'."""
    return f"{METRIC_WORDS[target.metric]} {value_words(target.value, target.metric)}"


def value_words(value: float, metric: str) -> str:
    """A value in the unit of its metric."""
    return f"{value:.3f}" if metric in NO_SHARES else f"{100 * value:.1f} %"


def difference_words(found: Estimate, metric: str) -> str:
    """'+1.2 points [+0.4, +2.0]'; plain numbers for what is not a share."""
    scale, unit, digits = (1, "", 3) if metric in NO_SHARES else (100, " points", 1)
    text = f"{scale * found.mean:+.{digits}f}{unit}"
    if found.seeds < 2:
        return text
    return f"{text} [{scale * found.low:+.{digits}f}, {scale * found.high:+.{digits}f}]"


def interval_words(found: Estimate, metric: str) -> str:
    """An interval in the unit of its metric."""
    if metric in NO_SHARES:
        return f"[{found.low:.3f}, {found.high:.3f}]"
    return f"[{100 * found.low:.1f}, {100 * found.high:.1f}]"


def factor_words(found: Saving) -> str:
    """'1.52 [1.31, 1.77]', '≥ 2.1 (limit 1.7)', or that nothing is known."""
    if found.factor is None:
        return "unknown"
    low = "" if found.low is None else f"{found.low:.2f}"
    high = "" if found.high is None else f"{found.high:.2f}"
    if found.kind == "at least":
        return f"≥ {found.factor:.2f}" + (f" [{low}, …]" if low != "nan" else "")
    if found.kind == "at most":
        return f"≤ {found.factor:.2f}" + (f" […, {high}]" if high != "nan" else "")
    return f"{found.factor:.2f}" + (f" [{low}, {high}]" if low != "nan" else "")


def saved_words(found: Saving) -> str:
    """'35 % saved [23, 44]', '1.25 times as many [1.10, 1.42]', 'at least 52 % saved [41, …]' or 'unknown'.

    `at least` and `at most` mark bounds: too few runs of the baseline, or of the arm, reached the level.
    A saving is not certain if its interval holds equal numbers of labels.
    """
    if found.factor is None:
        return "unknown"
    more = found.factor < 1

    def told(factor: float) -> str:
        return f"{1 / factor:.2f}" if more else f"{100 * (1 - 1 / factor):.0f}"

    bound = "" if found.kind == "estimate" else f"{found.kind} "
    if more and bound:  # a factor of at least 0.8 is at most 1.25 times as many labels
        bound = "at most " if found.kind == "at least" else "at least "
    text = f"{bound}{told(found.factor)} {'times as many' if more else '% saved'}"
    ends = [found.high, found.low] if more else [found.low, found.high]
    if any(end is not None and math.isnan(end) for end in ends):
        return text
    if (found.low or 0.0) < 1 < (found.high or math.inf):
        text += ", not certain"
    return f"{text} [{', '.join('…' if end is None else told(end) for end in ends)}]"


def saving_words(found: Saving) -> str:
    """': 35 % saved [23, 44]', only if the interval lies on one side of zero."""
    saves = found.low is not None and found.low > 1
    costs = found.high is not None and found.high < 1
    return f": {saved_words(found)}" if saves or costs else "; a saving in labels is not certain"


def p_words(p: float) -> str:
    """A p value with its sign, such as "= 0.012"."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
