"""Settings of a project changed later: each as long as what is stored keeps its meaning.

Features, posteriors and learners belong to an encoder, and rounds compare the model by draws and samples
that come from the seed. So the encoder is fixed by the first encoding and the seed by the first round.
Strategy, batch size, goal and learning method are those of the next round, and can always be changed.
"""

from __future__ import annotations

from dataclasses import replace

from alworkbench.acquisition.strategy_cards import strategy_card
from alworkbench.adaptation.method_cards import method_card
from alworkbench.core.domain import Consensus, Goal, LateAnswers, ProjectSettings
from alworkbench.core.errors import SettingFixed
from alworkbench.encoders import check_encoder
from alworkbench.project.session import Session


def change_settings(
    session: Session,
    *,
    encoder: str | None = None,
    strategy: str | None = None,
    adaptation: str | None = None,
    goal: Goal | None = None,
    batch_size: int | None = None,
    seed: int | None = None,
    overlap: int | None = None,
    overlap_share: float | None = None,
    blind_share: float | None = None,
    late_answers: LateAnswers | None = None,
    consensus: Consensus | None = None,
    prepare_at: float | None = None,
    target_accuracy: float | None = None,
) -> ProjectSettings:
    """Store other settings, all or none; None leaves a setting as it is. Returns the settings.

    Loads no tensors. Raises UnknownEncoder, UnknownStrategy, UnknownAdaptation, ValueError for a batch of
    less than one image, a negative seed, an overlap below 1 or a share outside of 0 to 1, and SettingFixed
    for another encoder after the first encoding or another seed after the first round.
    """
    if encoder is not None:
        check_encoder(encoder)
    if (batch_size is not None and batch_size < 1) or (seed is not None and seed < 0):
        raise ValueError("a batch has at least one image, and a seed is not negative")
    if overlap is not None and overlap < 1:
        raise ValueError("an image needs an answer of at least one person")
    shares = (overlap_share, blind_share, prepare_at, target_accuracy)
    if any(share is not None and not 0 <= share <= 1 for share in shares):
        raise ValueError("a share lies between 0 and 1")
    with session.computing, session.store.write() as writer:
        present = writer.settings()
        given = {
            "encoder": encoder,
            "strategy": None if strategy is None else strategy_card(strategy).name,
            "adaptation": None if adaptation is None else method_card(adaptation).name,
            "goal": goal,
            "batch_size": batch_size,
            "seed": seed,
            "overlap": overlap,
            "overlap_share": overlap_share,
            "blind_share": blind_share,
            "late_answers": late_answers,
            "consensus": consensus,
            "prepare_at": prepare_at,
            "target_accuracy": target_accuracy,
        }
        wanted = {name: value for name, value in given.items() if value is not None}
        changed = replace(present, **wanted)  # type: ignore[arg-type]
        if changed.encoder != present.encoder and writer.computed.encoder() is not None:
            raise SettingFixed(
                "encoder",
                present.encoder,
                "images were encoded with it, and features, posterior and learners belong to it",
            )
        if changed.seed != present.seed and writer.rounds.all():
            raise SettingFixed(
                "seed", str(present.seed), "rounds were drawn with it and are compared by its draws"
            )
        if changed != present:
            writer.save_settings(changed)
    return changed
