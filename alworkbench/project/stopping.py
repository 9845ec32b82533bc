"""Whether to go on labelling: rules that read records, and the advice that combines them.

    audit      may stop if the 95 % interval of the audit accuracy lies above the target
    forecast   may stop if a fitted curve says that no more labels are needed for the target
    gain       may stop if the expected error falls slowly, compared with its fastest rate
    stability  may stop if predictions hardly change from learner to learner (Bloodgood and
               Vijay-Shanker, 2009, "A method for stopping active learning based on stabilizing
               predictions and the need for user-adjustable stopping")

With an audit set and a target, the audit rule decides. Without them nothing was measured: then gain and
stability must agree, and their agreement says only that more labels of this kind would change little.
`simulation.past_error` measures how often rules are wrong.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from alworkbench.core.domain import MetricRecord
from alworkbench.core.words import counted, percent
from alworkbench.evaluation.forecast import Forecast, forecast
from alworkbench.project.stability import Snapshot

GAIN_LEFT = 0.25
"""The rule `gain` may stop below this share of the fastest rate."""
KAPPA, CONSECUTIVE = 0.99, 3
"""Mean agreement, and number of consecutive pairs of learners, of Bloodgood and Vijay-Shanker."""


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
    """The records that rules read, oldest first."""

    snapshots: tuple[Snapshot, ...]
    """Of the zero-shot model, then of each learner."""
    metrics: tuple[MetricRecord, ...]
    """Measurements on the audit set as it was at that time."""
    target: float | None
    """Wanted accuracy, between 0 and 1; None if nobody gave one."""
    left: int
    """Images of the pool without an answer."""


@dataclass(frozen=True, slots=True)
class Advice:
    """Whether labelling may stop, with the findings behind it."""

    stop: bool
    """True: labelling may stop. False: go on."""
    because: str
    target: float | None
    findings: tuple[Finding, ...]
    forecast: Forecast | None
    """Labels still needed for the target; None without a target."""
    measured: bool
    """True: the advice rests on an audit set. False: it rests on the model's own confidence."""


Rule = Callable[[History], Finding]


def audit(history: History) -> Finding:
    """Compare the lower end of the newest Wilson interval with the target."""
    if history.target is None:
        return Finding("audit", Verdict.CANNOT_SAY, "no target was given")
    if not history.metrics:
        return Finding("audit", Verdict.CANNOT_SAY, "there is no labelled audit set")
    newest = history.metrics[-1]
    low, high = (float(newest.values[f"accuracy_{end}"]) for end in ("low", "high"))
    words = (
        f"accuracy on {newest.audit_images:,} audit images is {percent(newest.values['accuracy'])} "
        f"[{percent(low)}, {percent(high)}], the target {percent(history.target)}"
    )
    reached = low >= history.target
    return Finding("audit", Verdict.MAY_STOP if reached else Verdict.GO_ON, words)


def forecast_rule(history: History) -> Finding:
    """May stop if the fitted curve has passed the target in nine of ten resamples."""
    found = forecast_of(history)
    if found is None:
        return Finding("forecast", Verdict.CANNOT_SAY, "no target was given")
    if found.labels is None:
        return Finding("forecast", Verdict.CANNOT_SAY, found.why)
    if found.high == 0:
        return Finding("forecast", Verdict.MAY_STOP, f"no more labels needed, by {found.why}")
    return Finding("forecast", Verdict.GO_ON, f"{in_words(found)}, by {found.why}")


def gain(history: History) -> Finding:
    """Compare the rate at which the expected error falls now, per label, with its fastest rate.

    Rates are compared and not levels: the posterior of the draws is wide by choice (see `Strengths`),
    so that its expected error stays far above zero long after labels have ceased to help.
    """
    snapshots = history.snapshots
    spans = list(zip(snapshots, snapshots[CONSECUTIVE:], strict=False))
    if len(spans) < 2:
        why = f"{counted(len(snapshots), 'recorded learner')}; {CONSECUTIVE + 2} are needed"
        return Finding("gain", Verdict.CANNOT_SAY, why)
    rates = [(a.error_left - b.error_left) / max(1, b.labels - a.labels) for a, b in spans]
    fastest = max(rates)
    if fastest <= 0:
        return Finding("gain", Verdict.CANNOT_SAY, "the expected error never fell")
    share = max(0.0, rates[-1] / fastest)
    words = (
        f"over the last {CONSECUTIVE} learners the expected error fell at {percent(share, 0)} of its "
        "fastest rate"
    )
    return Finding("gain", Verdict.MAY_STOP if share < GAIN_LEFT else Verdict.GO_ON, words)


def stability(history: History) -> Finding:
    """Compare the mean kappa of the newest pairs of consecutive learners with KAPPA."""
    pairs = list(zip(history.snapshots, history.snapshots[1:], strict=False))[-CONSECUTIVE:]
    if len(pairs) < CONSECUTIVE:
        why = f"{counted(len(pairs), 'pair')} of consecutive learners; {CONSECUTIVE} are needed"
        return Finding("stability", Verdict.CANNOT_SAY, why)
    agreed = [kappa(before, after) for before, after in pairs]
    mean = sum(agreed) / len(agreed)
    words = (
        f"predictions of the last {CONSECUTIVE} learners agree with the one before by {mean:.3f}"
    )
    verdict = Verdict.MAY_STOP if mean >= KAPPA else Verdict.GO_ON
    return Finding("stability", verdict, f"{words} (kappa)")


def kappa(before: Snapshot, after: Snapshot) -> float:
    """Cohen's kappa of the predictions of two learners on the images that both snapshots hold.

    1 where all predictions agree, also if both predict one class only; 0 without a common image.
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


RULES: dict[str, Rule] = {
    "audit": audit,
    "forecast": forecast_rule,
    "gain": gain,
    "stability": stability,
}
"""All rules by name, in the order in which advice lists them."""


def advise(history: History) -> Advice:
    """Ask all rules, and combine their findings into one advice."""
    findings = tuple(each(history) for each in RULES.values())
    by_name = {finding.rule: finding for finding in findings}
    measured = by_name["audit"].verdict is not Verdict.CANNOT_SAY
    deciding = [by_name["audit"]] if measured else [by_name["gain"], by_name["stability"]]
    stop = all(finding.verdict is Verdict.MAY_STOP for finding in deciding)
    because = "; ".join(finding.because for finding in deciding)
    if stop and not measured:
        because += "; nothing was measured: draw an audit set to be sure"
    return Advice(stop, because, history.target, findings, forecast_of(history), measured)


def history_of(
    snapshots: Sequence[Snapshot], metrics: Sequence[MetricRecord], target: float | None, left: int
) -> History:
    """Records in the order of learning: several learners of one round count by their newest."""
    ordered = sorted(metrics, key=lambda record: (record.round_number, record.learner_id or 0))
    return History(tuple(snapshots), tuple(ordered), target, left)
