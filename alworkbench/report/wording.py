"""Figures in words: labels, levels, differences, saving factors and p, with what is unknown."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

from alworkbench.core.words import percent
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

_LEARNER_WORDS = {
    "probe": "a linear probe (probe)",
    "free-weights": "labels alone (free-weights)",
}


def learner_words(method: str) -> str:
    """A learning method in words, with its name."""
    return _LEARNER_WORDS.get(method, f"the learning method {method}")


def same_learner_words(methods: Iterable[str]) -> str:
    """'the same learner (pool-taught)', for two arms that learn with one of these methods."""
    return f"the same learner ({' or '.join(dict.fromkeys(methods))})"


def listed(parts: Sequence[str]) -> str:
    """ "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def labels_words(found: Reach) -> str:
    """'48 labels [41, 57]', or what is known where runs ended before the target.

    It follows "needs" in sentences and stands alone in tables. What stands in brackets may be left out.
    """
    runs = f"{found.reached} of {len(found.labels)} runs"
    runs_there = f"{runs} reached the level within {found.budget:g} labels"
    if found.typical is None:
        if found.reached == 0:
            return f"more than {found.budget:g} labels (no run reached the level)"
        least = math.floor(found.low)
        known = f"more than {least} {'label' if least == 1 else 'labels'}"
        if least < 1:
            known = "an unknown number of labels"
        return f"{known} (how many cannot be said: only {runs_there})"
    if found.typical > found.budget * (1 + 1e-9):
        text = f"more than {found.budget:g} labels"
    else:
        text = f"{found.typical:.0f} {'label' if round(found.typical) == 1 else 'labels'}"
    if len(found.labels) > 1 and found.high is not None:
        high = (
            f"more than {found.budget:g}"
            if found.high > found.budget * (1 + 1e-9)
            else f"{found.high:.0f}"
        )
        text += f" [{found.low:.0f}, {high}]"
    if found.reached < len(found.labels):
        text += f" ({runs_there})"
    return text


def level_words(target: Target) -> str:
    """'accuracy 71.2 %'."""
    return f"{METRIC_WORDS[target.metric]} {value_words(target.value, target.metric)}"


def value_words(value: float, metric: str) -> str:
    """A value in the unit of its metric."""
    return f"{value:.3f}" if metric in NO_SHARES else percent(value)


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
    """'+35 % [+23, +44]', '-33 %, not certain [-188, +39]', 'at least +52 % [+41, …]' or 'unknown'.

    The unit is always percent of the baseline's labels: plus is saved, minus is needed on top.
    `at least` and `at most` mark bounds: too few runs of the baseline, or of the arm, reached the level.
    A saving is not certain if its interval holds equal numbers of labels.
    """
    if found.factor is None:
        return "unknown"
    bound = "" if found.kind == "estimate" else f"{found.kind} "
    text = f"{bound}{_signed_percent(found.factor)} %"
    ends = (found.low, found.high)
    if _is_missing(ends):
        return text
    if (found.low or 0.0) < 1 < (found.high or math.inf):
        text += ", not certain"
    return f"{text} [{', '.join('…' if end is None else _signed_percent(end) for end in ends)}]"


def saving_words(found: Saving) -> str:
    """': 35 % fewer labels [23, 44]' or ': 25 % more labels [10, 42]'.

    Only if the interval lies on one side of zero, so that one word gives the direction of all figures.
    """
    saves = found.low is not None and found.low > 1
    costs = found.high is not None and found.high < 1
    if found.factor is None or not (saves or costs):
        return "; a saving in labels is not certain"
    bound = "" if found.kind == "estimate" else "at least "
    ends = (found.low, found.high) if saves else (found.high, found.low)
    shown = ", ".join("…" if end is None else f"{abs(_percent(end))}" for end in ends)
    more = "fewer" if saves else "more"
    return f": {bound}{abs(_percent(found.factor))} % {more} labels [{shown}]"


def _percent(factor: float) -> int:
    """Labels saved in percent of the baseline's, by a saving factor; negative where more are needed."""
    return round(100 * (1 - 1 / factor))


def _signed_percent(factor: float) -> str:
    percent = _percent(factor)
    return f"{percent:+d}" if percent else "0"


def _is_missing(ends: Sequence[float | None]) -> bool:
    """Whether there is no interval, as with one seed."""
    return any(end is not None and math.isnan(end) for end in ends)


def p_words(p: float) -> str:
    """A p value with its sign, such as "= 0.012"."""
    return "< 0.001" if p < 0.001 else f"= {p:.3f}"
