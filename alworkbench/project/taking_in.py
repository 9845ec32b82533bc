"""What comes into a project: images, features, targets and labels; and labels out of it."""

from __future__ import annotations

from pathlib import Path

from alworkbench.core.assets import bundled_posterior
from alworkbench.core.domain import ImportSummary, Role
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders import load_encoder
from alworkbench.features.feature_file import read_feature_file
from alworkbench.inputs.label_files import exported, write_labels
from alworkbench.posterior.fit_pairs import PAIR_BATCH, posterior_of_pairs
from alworkbench.posterior.posterior_file import load_posterior
from alworkbench.project import imports as intake
from alworkbench.project.posteriors import Posteriors
from alworkbench.project.target_sets import TargetSet, count_targets, load_targets, take_targets


class TakingIn(Posteriors):
    """Features may bring a posterior along."""

    def import_images(
        self,
        location: Path,
        *,
        role: Role = Role.POOL,
        pool_labels: bool = False,
        progress: Progress = silent,
    ) -> ImportSummary:
        """Take the images of a folder, CSV manifest or archive into the project.

        Rows of a manifest whose `split` is test or audit go to the audit set, whatever `role` is.
        Labels that come along are recorded for the audit set, and with `pool_labels` for the pool.
        """
        return intake.import_images(
            self.folder,
            self.store,
            location,
            role=role,
            pool_labels=pool_labels,
            now=self._clock,
            progress=progress,
        )

    def encode(
        self, *, workers: int | None = None, batch_size: int = 64, progress: Progress = silent
    ) -> intake.FeaturesSummary:
        """Compute the features of images that have none. Goes on where it was interrupted.

        With the bundled encoder, its posterior comes along. Raises EncoderMismatch when the project
        has features of another encoder.
        """
        encoder = load_encoder(self.settings().encoder, self._device)
        summary = intake.encode(
            self.folder,
            self.store,
            encoder,
            workers=workers,
            batch_size=batch_size,
            progress=progress,
        )
        bundled = bundled_posterior(self.settings().encoder)
        if bundled is not None:
            with self.store.read() as reader:
                known = reader.computed.posterior(encoder.id)
            if known is None:
                found = load_posterior(bundled, encoder_id=encoder.id)
                self._keep_posterior(found.posterior, dict(found.provenance))
        return summary

    def take_targets(
        self,
        location: Path | str,
        *,
        workers: int | None = None,
        batch_size: int = 64,
        progress: Progress = silent,
    ) -> TargetSet:
        """Keep the images of a folder, manifest or archive as a target set, and encode them.

        A name of a set that was kept before gives that set. See `targets`. Raises InvalidTargets,
        UnreadableSource, NothingToImport, and as `encode` does.
        """
        if not Path(location).exists():
            return load_targets(self.folder, str(location))
        return take_targets(
            self.folder,
            self.store,
            self.engine(),
            Path(location),
            device=self._device,
            workers=workers,
            batch_size=batch_size,
            progress=progress,
        )

    def count_targets(self, location: Path | str, progress: Progress = silent) -> int:
        """How many images `take_targets` would find; nothing is kept or encoded."""
        if not Path(location).exists():
            return len(load_targets(self.folder, str(location)))
        return count_targets(Path(location), progress)

    def take_features(self, path: Path, progress: Progress = silent) -> intake.FeaturesSummary:
        """Features of this project's images from a features file, instead of encoding them.

        Its training pairs, if it has any, become the posterior. See `encoders.feature_file`.
        """
        file = read_feature_file(path)
        summary = intake.take_features(self.folder, self.store, file, path.name, progress)
        if file.pairs is not None:
            texts = file.pairs.texts
            posterior = posterior_of_pairs(
                file.head, file.pairs.images, texts, file.encoder_id, batch=PAIR_BATCH
            )
            provenance = {"pairs": len(texts), "class_batch": PAIR_BATCH, "source": path.name}
            self._keep_posterior(posterior, provenance)
        return summary

    def import_labels(self, path: Path, annotator: str) -> intake.LabelSummary:
        """Record the labels of a CSV (columns image and label): all rows, or none."""
        return intake.import_labels(self.store, path, annotator, self._clock())

    def export(self, target: Path, *, history: bool = False) -> int:
        """Write the labels that count, or with `history` all of them; how many."""
        with self.store.read() as reader:
            return write_labels(target, exported(reader, history=history))
