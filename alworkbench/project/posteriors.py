"""The posterior of a project's encoder: fitted, imported, exported, described."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any

import torch

from alworkbench.core.domain import ClassList, NameKnowledge, PosteriorRecord, Role
from alworkbench.core.errors import FeaturesMissing, PosteriorMissing, ReplacesCaptions
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders import load_encoder
from alworkbench.engines.engine import Engine
from alworkbench.features.store import FeatureStore
from alworkbench.inputs.pairs import open_pairs
from alworkbench.posterior.fit_pairs import PAIR_BATCH, fit_posterior
from alworkbench.posterior.fit_pool import fit_from_pool, prompts_of
from alworkbench.posterior.kronecker import Posterior
from alworkbench.posterior.name_novelty import has_captions, known_names
from alworkbench.posterior.posterior_file import PosteriorFile, load_posterior, save_posterior
from alworkbench.posterior.published import (
    WEIGHT,
    ImportedPosterior,
    Prior,
    export_factors,
    import_factors,
)
from alworkbench.posterior.summary import PosteriorSummary
from alworkbench.project.artifacts import load_project_encoder
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.session import Session


class Posteriors:
    """Every posterior is kept; the newest one is used."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._names: tuple[tuple[object, ...], tuple[NameKnowledge, ...]] | None = None

    def newest(self) -> Posterior:
        """The newest posterior of the project's encoder. Raises PosteriorMissing."""
        engine = self._session.engine()
        with self._session.store.read() as reader:
            record = self._session.posterior_record(reader)
        if record is None:
            raise PosteriorMissing(engine.encoder_id)
        return engine.posterior(record)

    def fit(
        self,
        pairs: Path,
        *,
        batch: int = PAIR_BATCH,
        engine: Engine | None = None,
        progress: Progress = silent,
    ) -> PosteriorRecord:
        """Fit the posterior of the project's encoder from image-caption pairs (CSV, Parquet, tars).

        For the files see `inputs.pairs`. An interrupted call goes on where it stopped. The workers of an
        `engine` encode the pairs and sum the curvature; see `posterior.pair_shards`. Raises UnknownEncoder
        and EncoderMismatch where no model can encode the pairs as the project's images, and EngineError.
        """
        settings = self._session.settings()
        with self._session.store.read() as reader:
            record = reader.computed.encoder()
        device = self._session.device
        encoder = (
            load_encoder(settings.encoder, device)
            if record is None
            else load_project_encoder(
                record,
                device,
                "pairs",
                "Fit from the pool (`alworkbench fit --from-pool`), or take a file with "
                "pair_activations (`alworkbench encode --features FILE`).",
            )
        )
        found = fit_posterior(
            encoder,
            open_pairs(pairs.absolute()),  # workers may have another working folder
            batch=batch,
            seed=settings.seed,
            progress=progress,
            partial=self._session.folder.posteriors,
            engine=engine,
            load=partial(load_encoder, encoder.spec, torch.device(device.type)),
            gpus=int(device.type == "cuda"),
        )
        return self.keep(found.posterior, found.provenance)

    def fit_from_pool(
        self,
        *,
        batch: int = PAIR_BATCH,
        replace_captions: bool = False,
        engine: Engine | None = None,
        progress: Progress = silent,
    ) -> PosteriorRecord:
        """Fit the posterior without captions, from the pool's features and prompts.

        This is an approximation; see `posterior.fit_pool`. An `engine` sums the curvature. Raises
        FeaturesMissing before the pool is encoded, and ReplacesCaptions where the newest posterior was
        fitted from captions, unless `replace_captions` says that it may be replaced.
        """
        project = self._session.engine()
        with self._session.store.read() as reader:
            newest = self._session.posterior_record(reader)
            if newest is not None and has_captions(newest.provenance) and not replace_captions:
                known = newest.provenance
                source, pairs = known.get("source", newest.file), known.get("pairs", 0)
                raise ReplacesCaptions(str(source), int(pairs))
            settings = reader.settings()
            classes = reader.classes.current()
            pool = ImageColumns.read(reader, Role.POOL)
            record = reader.computed.encoder()
        encoder = None
        if record is not None and not record.from_file:
            encoder = load_project_encoder(record, self._session.device, "prompts", "")
        features = FeatureStore(self._session.folder.features / project.encoder_id)
        found = fit_from_pool(
            project.head,
            project.table(),
            torch.from_numpy(self._session.encoded_of(pool).rows),
            prompts_of(features, classes, encoder, progress).to(project.device),
            project.encoder_id,
            batch=batch,
            seed=settings.seed,
            engine=engine,
            progress=progress,
        )
        return self.keep(found.posterior, found.provenance)

    def take(
        self, folder: Path, *, prior: Prior = "evidence", weight: float | None = WEIGHT
    ) -> ImportedPosterior:
        """Import a folder of published factors as the newest posterior. See `posterior.published`.

        Raises InvalidPosteriorFile, NotPositiveDefinite, EncoderMismatch.
        """
        engine = self._session.engine()
        found = import_factors(folder, engine.head, engine.encoder_id, prior=prior, weight=weight)
        belief = found.posterior
        provenance = {
            "source": folder.resolve().name,
            "pairs": belief.image.pairs,
            "prior": prior,
            "pseudo_data_weight_image": belief.image.pseudo_data_weight,
            "pseudo_data_weight_text": belief.text.pseudo_data_weight,
            "prior_precision_image": belief.image.prior_precision,
            "prior_precision_text": belief.text.prior_precision,
            "rounding": {name: asdict(value) for name, value in found.rounding.items()},
        }
        self.keep(belief, provenance)
        return found

    def export(self, folder: Path) -> PosteriorSummary:
        """Write the newest posterior in the layout of published factor folders.

        Raises PosteriorMissing.
        """
        record, found = self._newest_file()
        export_factors(
            folder, found.posterior, created_at=found.created_at, provenance=found.provenance
        )
        return PosteriorSummary.of(record.file, found)

    def describe(self) -> PosteriorSummary:
        """The newest posterior of the project's encoder in figures. Raises PosteriorMissing."""
        record, found = self._newest_file()
        return PosteriorSummary.of(record.file, found)

    def known_names(
        self, classes: ClassList, record: PosteriorRecord | None
    ) -> tuple[NameKnowledge, ...]:
        """What the model knows of each class name, in the order of the list.

        Empty without a posterior that was fitted from captions, and before the prompts are encoded.
        """
        if record is None or not has_captions(record.provenance):
            return ()
        key = (classes.id, record.id)
        if self._names is None or self._names[0] != key:
            engine = self._session.engine()
            try:
                activations = engine.class_activations(classes)
            except FeaturesMissing:  # a class was added since; encoding is the next step
                return ()
            found = known_names(engine.posterior(record).text, classes.names, activations)
            self._names = key, found
        return self._names[1]

    def keep(self, posterior: Posterior, provenance: dict[str, Any]) -> PosteriorRecord:
        """Write a posterior into the project folder and record it; from now on it is the newest."""
        now = self._session.now()
        file = f"posteriors/{posterior.encoder_id}-{now:%Y%m%dT%H%M%S%f}.safetensors"
        save_posterior(
            self._session.folder.path / file, posterior, created_at=now, provenance=provenance
        )
        with self._session.store.write() as writer:
            return writer.computed.add_posterior(posterior.encoder_id, file, provenance, now)

    def _newest_file(self) -> tuple[PosteriorRecord, PosteriorFile]:
        engine = self._session.engine()
        with self._session.store.read() as reader:
            record = self._session.posterior_record(reader)
        if record is None:
            raise PosteriorMissing(engine.encoder_id)
        path = self._session.folder.path / record.file
        return record, load_posterior(path, encoder_id=engine.encoder_id)
