"""Features of a project's images and of its class names: computed by an encoder, or read from a file."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import torch

from alworkbench.core.assets import bundled_posterior
from alworkbench.core.domain import (
    ClassList,
    EncoderRecord,
    ProjectFolder,
    QuarantineCode,
    Role,
)
from alworkbench.core.errors import EncoderMismatch, ImagesRefused, NothingToImport, UnknownClass
from alworkbench.core.names import composed
from alworkbench.core.ports import Reader
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders import load_encoder
from alworkbench.encoders.base import Encoder
from alworkbench.engines.engine import Engine
from alworkbench.features.encode import encode_images
from alworkbench.features.encode_groups import encode_on
from alworkbench.features.entry import Entry
from alworkbench.features.feature_file import FeatureFile
from alworkbench.features.feature_file_io import read_feature_file
from alworkbench.features.feature_folder import FeatureFolder
from alworkbench.features.object_store import ObjectStore, is_address
from alworkbench.features.prompts import encode_missing
from alworkbench.features.publishing import Published, publish
from alworkbench.features.store import FeatureStore
from alworkbench.posterior.fit_pairs import PAIR_BATCH, posterior_of_pairs
from alworkbench.posterior.posterior_file import load_posterior
from alworkbench.project.artifacts import FeaturesSummary
from alworkbench.project.feature_folders import look_into, take_folder
from alworkbench.project.imports import CHUNK
from alworkbench.project.mass_refusal import is_mass_refusal, reasons_in_words, reasons_of
from alworkbench.project.matched_rows import content_of, matched_rows
from alworkbench.project.posteriors import Posteriors
from alworkbench.project.session import Session, resolve


class ImageFeatures:
    """Brings features into a project, and the posterior that comes with them."""

    def __init__(self, session: Session, posteriors: Posteriors) -> None:
        self._session = session
        self._posteriors = posteriors

    def encode(
        self,
        *,
        workers: int | None = None,
        batch_size: int = 64,
        engine: Engine | None = None,
        progress: Progress = silent,
    ) -> FeaturesSummary:
        """Compute the features of all images without features. An interrupted call goes on.

        With an `engine` its workers encode, each as many images at once (see `features.encode_groups`);
        `workers` are the decoding processes of this process without one.

        The bundled encoder brings its posterior. Raises EncoderMismatch where the project has
        features of another encoder, and ImagesRefused where most images could not be encoded, such as where
        a disk is not mounted; what was encoded is kept. Raises EngineError where the engine fails.
        """
        session = self._session
        encoder = load_encoder(session.settings().encoder, session.device)
        summary = self._encode(encoder, workers, batch_size, engine, progress)
        self._keep_bundled(EncoderRecord(encoder.id, session.settings().encoder))
        return summary

    def _keep_bundled(self, encoder: EncoderRecord) -> None:
        """Keep the posterior that comes with this encoder, if one does and the project has none."""
        bundled = bundled_posterior(encoder.spec)
        if bundled is not None:
            with self._session.store.read() as reader:
                known = reader.computed.posterior(encoder.id)
            if known is None:
                found = load_posterior(bundled, encoder_id=encoder.id)
                self._posteriors.keep(found.posterior, dict(found.provenance))

    def take(self, path: Path | str, progress: Progress = silent) -> FeaturesSummary:
        """Take features from a features file or a features folder instead of encoding.

        Training pairs in the file become the posterior. For the layout see
        `features.feature_file`. An image whose row cannot be computed with gets no features and is
        never asked; the summary names the row. Raises InvalidFeatureFile, UnknownClass where the file
        lacks a class of the project, NothingToImport where it has none of its images, EncoderMismatch
        where the project has features of another encoder. A folder may also be an address
        (`features.object_store`). It is read shard by shard, so that it may be larger than the memory; see
        `project.feature_folders`.
        """
        place = path if isinstance(path, str) and is_address(path) else Path(path)
        if isinstance(place, str) or place.is_dir():
            with FeatureFolder.at(place) as folder:
                summary = take_folder(self._session, folder, progress)
                self._keep_bundled(folder.encoder())
            return summary
        file = read_feature_file(place)
        summary = self._take(file, place.name, progress)
        if file.pairs is not None:
            texts = file.pairs.texts
            posterior = posterior_of_pairs(
                file.head, file.pairs.images, texts, file.encoder_id, batch=PAIR_BATCH
            )
            provenance = {"pairs": len(texts), "class_batch": PAIR_BATCH, "source": place.name}
            self._posteriors.keep(posterior, provenance)
        return summary

    def look(self, path: Path, progress: Progress = silent) -> tuple[int, int]:
        """The rows of a features file or folder, and how many are of images of the project.

        Nothing is stored. Raises InvalidFeatureFile.
        """
        if path.is_dir():
            with FeatureFolder.at(path) as folder:
                return look_into(self._session, folder, progress)
        file = read_feature_file(path)
        with self._session.store.read() as reader:
            return len(file.features), len(matched_rows(file, reader.images, progress))

    def publish(self, address: str, progress: Progress = silent) -> Published:
        """Put the features of the project under an address, for others to take; see `features.publishing`.

        Raises what `publish` raises, and FeaturesMissing before encoding.
        """
        record = self._session.encoder_record()
        store = FeatureStore(self._session.folder.features / record.id)
        return publish(store, ObjectStore(address), progress)

    def _encode(
        self,
        encoder: Encoder,
        workers: int | None,
        batch_size: int,
        engine: Engine | None,
        progress: Progress,
    ) -> FeaturesSummary:
        started = time.perf_counter()
        folder = self._session.folder
        with self._session.store.read() as reader:
            known = reader.computed.encoder()
            classes = reader.classes.current()
            white = reader.settings().white_point
            images = _files(folder, reader)
        if known is not None and known.id != encoder.id:
            raise EncoderMismatch("The project's features", known.id, encoder.id)
        record = EncoderRecord(encoder.id, encoder.spec)
        features = FeatureStore(folder.features / encoder.id)
        device = encoder.head.image_projection.device
        features.describe(record, encoder.head, {"device": str(device)})
        encode_names(folder, encoder, classes)
        refused_before = features.open_table().quarantined()
        if engine is None:
            done = encode_images(
                encoder,
                images,
                features,
                workers=workers,
                batch_size=batch_size,
                white=white,
                progress=progress,
            )
        else:
            kind = self._session.device.type
            done = encode_on(
                engine,
                partial(load_encoder, encoder.spec, torch.device(kind)),
                encoder.id,
                images,
                features,
                gpus=int(kind == "cuda"),
                batch_size=batch_size,
                white=white,
                progress=progress,
            )
        with self._session.store.write() as writer:
            writer.computed.set_encoder(record)
        known_refused = features.open_table().quarantined()
        wanted = [content for content, _ in images]
        refused = [content for content in wanted if content in known_refused]
        known_reasons = features.refused() if refused else {}
        reasons = reasons_of(known_reasons, refused)
        set_aside = [known_reasons[content] for content in refused if content in known_reasons]
        fresh = sum(content not in refused_before for content in refused)
        if is_mass_refusal(done.quarantined, len(wanted)) or is_mass_refusal(
            fresh, done.encoded + fresh
        ):
            raise ImagesRefused(
                "images",
                done.quarantined,
                done.encoded + done.quarantined,
                reasons_in_words(reasons),
                "alworkbench encode",
                [(each.path, each.code.value, each.detail) for each in set_aside],
            )
        seconds = time.perf_counter() - started
        known_images = len(wanted) - len(refused) - done.encoded
        return FeaturesSummary(
            encoder.id, done.encoded, known_images, len(refused), seconds, reasons=reasons
        )

    def _take(self, file: FeatureFile, name: str, progress: Progress) -> FeaturesSummary:
        started = time.perf_counter()
        with self._session.store.read() as reader:
            known = reader.computed.encoder()
            classes = reader.classes.current()
            images = reader.images
            hash_of = matched_rows(file, images, progress)
            refused = [
                Entry(content, row.name, code=QuarantineCode.NONFINITE, detail=row.reason)
                for row in file.unusable
                if (content := content_of(images, row.path, row.hash)) is not None
            ]
        if known is not None and known.id != file.encoder_id:
            raise EncoderMismatch("The project's features", known.id, file.encoder_id)
        if not hash_of and not refused:
            raise NothingToImport(
                f"None of the {len(file.features)} images of {name} is in this project. Import them "
                f"first (`alworkbench import FOLDER`); images are matched by content hash, or by path."
            )
        record = EncoderRecord(file.encoder_id, file.spec)
        features = FeatureStore(self._session.folder.features / file.encoder_id)
        features.describe(record, file.head, {"file": name})
        row_of = {composed(name): row for row, name in enumerate(file.class_names)}
        prompts: list[str] = []
        rows_of_prompts: list[int] = []
        for label in classes.classes:
            if composed(label.name) not in row_of:
                raise UnknownClass(label.name, file.class_names, "The project's class list")
            # The file has one text activation per class: it replaces all prompts of the class.
            own = row_of[composed(label.name)]
            prompts += label.prompts
            rows_of_prompts += [own] * len(label.prompts)
        # At once: each call writes the file of all prompts again.
        features.add_prompts(prompts, file.class_activations[torch.tensor(rows_of_prompts)])
        # Another file may mend an image that was set aside, so only images with a row are settled.
        table = features.open_table()
        contents = list(hash_of.values())
        settled = {name for name, has in zip(contents, table.has(contents), strict=True) if has}
        rows = [row for row, content in hash_of.items() if content not in settled]
        set_aside = [
            entry
            for entry, has in zip(refused, table.has([e.hash for e in refused]), strict=True)
            if not has
        ]
        with features.writer(dtype=file.features.activations.dtype) as writer:
            for start in range(0, len(rows), CHUNK):
                part = rows[start : start + CHUNK]
                names = file.paths or file.hashes or ()
                entries = [Entry(hash_of[row], names[row]) for row in part]
                writer.add(entries, file.features[torch.tensor(part)])
            if new := [e for e in set_aside if e.hash not in table.quarantined()]:
                writer.add(new, None)
        with self._session.store.write() as committed:
            committed.computed.set_encoder(record)
        seconds = time.perf_counter() - started
        return FeaturesSummary(
            file.encoder_id,
            len(rows),
            len(hash_of) - len(rows),
            len(set_aside),
            seconds,
            file.unusable,
        )


def encode_names(folder: ProjectFolder, encoder: Encoder, classes: ClassList) -> None:
    """Compute the text activations of all prompts of a class list that have none."""
    prompts = [prompt for c in classes.classes for prompt in c.prompts]
    encode_missing(FeatureStore(folder.features / encoder.id), encoder, prompts)


def _files(folder: ProjectFolder, reader: Reader) -> list[tuple[str, Path]]:
    """(content hash, one file with this content) of every image."""
    return [
        (content, resolve(folder, path))
        for role in Role
        for content, path in reader.images.hashes_and_paths(role)
    ]
