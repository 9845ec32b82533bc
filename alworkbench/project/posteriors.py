"""The posterior of a project's encoder: fitted, taken in, written out, described."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from alworkbench.core.domain import PosteriorRecord, Role
from alworkbench.core.errors import EncoderMismatch, PosteriorMissing, UnknownEncoder
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders import load_encoder
from alworkbench.features.feature_file import FROM_FILE
from alworkbench.features.store import FeatureStore
from alworkbench.inputs.pairs import open_pairs
from alworkbench.posterior.fit_pairs import PAIR_BATCH, fit_posterior
from alworkbench.posterior.fit_pool import fit_from_pool, prompts_of
from alworkbench.posterior.kronecker import Posterior
from alworkbench.posterior.posterior_file import PosteriorFile, load_posterior, save_posterior
from alworkbench.posterior.published import WEIGHT, Prior, Published, export_factors, import_factors
from alworkbench.posterior.summary import PosteriorSummary
from alworkbench.project.session import OpenProject


class Posteriors(OpenProject):
    """Every posterior is kept; the newest counts."""

    def posterior(self) -> Posterior:
        """The newest posterior of the project's encoder. Raises PosteriorMissing."""
        engine = self.engine()
        with self.store.read() as reader:
            record = self._posterior_record(reader)
        if record is None:
            raise PosteriorMissing(engine.encoder_id)
        return engine.posterior(record)

    def fit(
        self, pairs: Path, *, batch: int = PAIR_BATCH, progress: Progress = silent
    ) -> PosteriorRecord:
        """Fit the posterior of the project's encoder from image-caption pairs (CSV, Parquet, tars).

        See `datasets.pairs`. Goes on where the same call was interrupted. Raises UnknownEncoder and
        EncoderMismatch where the pairs cannot be encoded as the project's images were.
        """
        settings = self.settings()
        with self.store.read() as reader:
            record = reader.computed.encoder()
        if record is not None and record.spec.startswith(FROM_FILE):
            raise UnknownEncoder(
                f"The features of this project came from a file ({record.spec}); there is no model "
                f"that could encode pairs. Fit from the pool (`alworkbench fit --from-pool`), or bring "
                f"in a file with pair_activations (`alworkbench encode --features FILE`)."
            )
        source = open_pairs(pairs)
        encoder = load_encoder(settings.encoder, self._device)
        if record is not None and encoder.id != record.id:
            raise EncoderMismatch("The project's features", record.id, encoder.id)
        found = fit_posterior(
            encoder,
            source,
            batch=batch,
            seed=settings.seed,
            progress=progress,
            partial=self.folder.posteriors,
        )
        return self._keep_posterior(found.posterior, found.provenance)

    def fit_from_pool(
        self, *, batch: int = PAIR_BATCH, progress: Progress = silent
    ) -> PosteriorRecord:
        """Fit the posterior without captions, from the pool's features and prompts.

        An approximation; see `pool_fitting`. Raises FeaturesMissing before the pool is encoded.
        """
        engine = self.engine()
        with self.store.read() as reader:
            settings = reader.settings()
            classes = reader.classes.current()
            pool = reader.images.ids_and_hashes(Role.POOL)
            record = reader.computed.encoder()
        encoder = None
        if record is not None and not record.spec.startswith(FROM_FILE):
            encoder = load_encoder(record.spec, self._device)
            if encoder.id != engine.encoder_id:
                raise EncoderMismatch("The project's features", engine.encoder_id, encoder.id)
        features = FeatureStore(self.folder.features / engine.encoder_id)
        found = fit_from_pool(
            engine.head,
            engine.table(),
            list(self._rows(pool)),
            prompts_of(features, classes, encoder, progress).to(engine.device),
            engine.encoder_id,
            batch=batch,
            seed=settings.seed,
            progress=progress,
        )
        return self._keep_posterior(found.posterior, found.provenance)

    def import_posterior(
        self, folder: Path, *, prior: Prior = "evidence", weight: float | None = WEIGHT
    ) -> Published:
        """Take a folder of published factors as the posterior. See `posterior.published`.

        Raises InvalidPosteriorFile, NotPositiveDefinite, EncoderMismatch.
        """
        engine = self.engine()
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
        self._keep_posterior(belief, provenance)
        return found

    def export_posterior(self, folder: Path) -> PosteriorSummary:
        """Write the newest posterior in the layout of published factor folders.

        Raises PosteriorMissing.
        """
        record, found = self._newest_posterior()
        export_factors(
            folder, found.posterior, created_at=found.created_at, provenance=found.provenance
        )
        return PosteriorSummary.of(record.file, found)

    def describe_posterior(self) -> PosteriorSummary:
        """The newest posterior of the project's encoder in figures. Raises PosteriorMissing."""
        record, found = self._newest_posterior()
        return PosteriorSummary.of(record.file, found)

    def _keep_posterior(self, posterior: Posterior, provenance: dict[str, Any]) -> PosteriorRecord:
        now = self._clock()
        file = f"posteriors/{posterior.encoder_id}-{now:%Y%m%dT%H%M%S%f}.safetensors"
        save_posterior(self.folder.path / file, posterior, created_at=now, provenance=provenance)
        with self.store.write() as writer:
            return writer.computed.add_posterior(posterior.encoder_id, file, provenance, now)

    def _newest_posterior(self) -> tuple[PosteriorRecord, PosteriorFile]:
        engine = self.engine()
        with self.store.read() as reader:
            record = self._posterior_record(reader)
        if record is None:
            raise PosteriorMissing(engine.encoder_id)
        path = self.folder.path / record.file
        return record, load_posterior(path, encoder_id=engine.encoder_id)
