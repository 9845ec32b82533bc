"""Whether to go on labelling: small rules that read records, and the advice that comes of them.

    audit      the whole 95 % interval of the audit accuracy lies above the target
    forecast   the labels that are still needed for it (`forecast`)
    gain       how fast the model's expected error still falls, against its fastest
    stability  predictions hardly change any more from learner to learner (Bloodgood and
               Vijay-Shanker, 2009, "A method for stopping active learning based on stabilizing
               predictions and the need for user-adjustable stopping")

With an audit set and a target, the measurement decides. Without, nothing was measured: gain and
stability must agree, and they say only that more labels of this kind would change little. How often
rules were wrong in simulations is in `past_error`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from alworkbench.core.domain import MetricRecord
from alworkbench.evaluation.forecast import Forecast, forecast
from alworkbench.project.stability import Watch

GAIN_LEFT = 0.25
"""Of the fastest rate: below, the rule `gain` would stop."""
KAPPA, CONSECUTIVE = 0.99, 3
"""Mean agreement of so many consecutive learners, of Bloodgood and Vijay-Shanker."""


class Verdict(StrEnum):
    """What a stopping rule says."""

    GO_ON = "go on"
    MAY_STOP = "may stop"
    CANNOT_SAY = "cannot say"


@dataclass(frozen=True, slots=True)
class Finding:
    """What one rule says."""

    rule: str
    verdict: Verdict
    because: str


@dataclass(frozen=True, slots=True)
class History:
    """What rules may read: records alone, oldest first."""

    watches: tuple[Watch, ...]
    """Of the model as it came, then of each learner."""
    metrics: tuple[MetricRecord, ...]
    """On the audit set as it was when each was measured."""
    target: float | None
    """Wanted accuracy."""
    left: int
    """Images of the pool without an answer."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether labelling may stop, with the findings behind it."""

    stop: bool
    """Labelling may stop; False is "go on"."""
    because: str
    target: float | None
    findings: tuple[Finding, ...]
    forecast: Forecast | None
    """Labels still needed for the target; None without a target."""
    measured: bool
    """The advice rests on an audit set; otherwise on what the model thinks of itself."""


Rule = Callable[[History], Finding]
_RULES: dict[str, Rule] = {}


def rule(name: str) -> Callable[[Rule], Rule]:
    """Register a rule under a name; every advice then asks it."""

    def register(found: Rule) -> Rule:
        if name in _RULES:
            raise ValueError(f"the stopping rule {name!r} is registered twice")
        _RULES[name] = found
        return found

    return register


def rules() -> dict[str, Rule]:
    """Every stopping rule by name."""
    return dict(_RULES)


@rule("audit")
def audit(history: History) -> Finding:
    """The lower end of the newest Wilson interval against the target."""
    if history.target is None:
        return Finding("audit", Verdict.CANNOT_SAY, "no target was given")
    if not history.metrics:
        return Finding("audit", Verdict.CANNOT_SAY, "there is no labelled audit set")
    newest = history.metrics[-1]
    low, high = (float(newest.values[f"accuracy_{end}"]) for end in ("low", "high"))
    words = (
        f"accuracy on {newest.audit_images} audit images is {newest.values['accuracy']:.1%} "
        f"[{low:.1%}, {high:.1%}], the target {history.target:.1%}"
    )
    reached = low >= history.target
    return Finding("audit", Verdict.MAY_STOP if reached else Verdict.GO_ON, words)


@rule("forecast")
def forecast_rule(history: History) -> Finding:
    """Whether the fitted curve has passed the target in nine of ten resamples."""
    found = forecast_of(history)
    if found is None:
        return Finding("forecast", Verdict.CANNOT_SAY, "no target was given")
    if found.labels is None:
        return Finding("forecast", Verdict.CANNOT_SAY, found.why)
    if found.high == 0:
        return Finding("forecast", Verdict.MAY_STOP, f"no more labels needed, by {found.why}")
    return Finding("forecast", Verdict.GO_ON, f"{in_words(found)}, by {found.why}")


@rule("gain")
def gain(history: History) -> Finding:
    """How fast the expected error falls now, per label, against when it fell fastest.

    Rates, not levels: the posterior that draws come from is wide by choice (see `Strengths`), so that
    its own error and information stay far above zero long after labels have ceased to help.
    """
    watches = history.watches
    spans = list(zip(watches, watches[CONSECUTIVE:], strict=False))
    if len(spans) < 2:
        why = f"{len(watches)} learners were watched; {CONSECUTIVE + 2} are needed"
        return Finding("gain", Verdict.CANNOT_SAY, why)
    rates = [(a.error_left - b.error_left) / max(1, b.labels - a.labels) for a, b in spans]
    fastest = max(rates)
    if fastest <= 0:
        return Finding("gain", Verdict.CANNOT_SAY, "the expected error never fell")
    share = max(0.0, rates[-1] / fastest)
    words = f"over the last {CONSECUTIVE} learners the expected error fell at {share:.0%} of its fastest rate"
    return Finding("gain", Verdict.MAY_STOP if share < GAIN_LEFT else Verdict.GO_ON, words)


@rule("stability")
def stability(history: History) -> Finding:
    """Mean kappa of the newest pairs of consecutive learners."""
    pairs = list(zip(history.watches, history.watches[1:], strict=False))[-CONSECUTIVE:]
    if len(pairs) < CONSECUTIVE:
        why = f"{len(pairs)} pairs of consecutive learners; {CONSECUTIVE} are needed"
        return Finding("stability", Verdict.CANNOT_SAY, why)
    agreed = [kappa(before, after) for before, after in pairs]
    mean = sum(agreed) / len(agreed)
    words = (
        f"predictions of the last {CONSECUTIVE} learners agree with the one before by {mean:.3f}"
    )
    verdict = Verdict.MAY_STOP if mean >= KAPPA else Verdict.GO_ON
    return Finding("stability", verdict, f"{words} (kappa)")


def kappa(before: Watch, after: Watch) -> float:
    """Cohen's kappa of two learners' answers on the images that both were watched on.

    1 where they agree on all, also where both answer with one class throughout; 0 without any image.
    """
    then = dict(zip(before.images, before.answers, strict=True))
    both = [(then[i], now) for i, now in zip(after.images, after.answers, strict=True) if i in then]
    if not both:
        return 0.0
    agreed = sum(one == other for one, other in both) / len(both)
    ones, others = Counter(one for one, _ in both), Counter(other for _, other in both)
    chance = sum(ones[c] * others[c] for c in ones) / len(both) ** 2
    return 1.0 if agreed == 1.0 else (agreed - chance) / (1 - chance)


def forecast_of(history: History) -> Forecast | None:
    """The forecast from the measurements on the newest audit set; None without a target."""
    if history.target is None:
        return None
    newest = history.metrics[-1].values.get("audit") if history.metrics else None
    same = [
        record
        for record in history.metrics
        if newest is not None and record.values.get("audit") == newest
    ]
    return forecast(
        [record.labels for record in same],
        [str(record.values["right"]) for record in same],
        history.target,
        history.left,
    )


def in_words(found: Forecast) -> str:
    """'about 40 labels more [20, 90]'."""
    if found.labels is None or found.low is None:
        return "cannot say how many labels more"
    high = "no upper end" if found.high is None else f"{found.high:.0f}"
    return f"about {found.labels:.0f} labels more [{found.low:.0f}, {high}]"


def advise(history: History) -> Advice:
    """What all rules say, and what comes of it."""
    findings = tuple(each(history) for each in _RULES.values())
    by_name = {finding.rule: finding for finding in findings}
    measured = by_name["audit"].verdict is not Verdict.CANNOT_SAY
    deciding = [by_name["audit"]] if measured else [by_name["gain"], by_name["stability"]]
    stop = all(finding.verdict is Verdict.MAY_STOP for finding in deciding)
    because = "; ".join(finding.because for finding in deciding)
    if stop and not measured:
        because += "; nothing was measured: draw an audit set to be sure"
    return Advice(stop, because, history.target, findings, forecast_of(history), measured)


def history_of(
    watches: Sequence[Watch], metrics: Sequence[MetricRecord], target: float | None, left: int
) -> History:
    """Records in the order of learning: several learners of one round count by their newest."""
    ordered = sorted(metrics, key=lambda record: (record.round_number, record.learner_id or 0))
    return History(tuple(watches), tuple(ordered), target, left)
