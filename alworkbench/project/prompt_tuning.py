"""Prompt tuning over the images of a project, into a file of answers.

Nothing is written to the store: the answers are a file, and the features of views are a cache in the folder
of the project.

Dimensions used in this file
    C  classes
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.domain import QuarantinedFile, Role
from alworkbench.core.errors import EncoderMismatch, FeaturesMissing, NothingToImport
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.context_length import cut_prompts
from alworkbench.features.decode import Task, read_picture
from alworkbench.inputs.picture import Undecodable
from alworkbench.project.artifacts import refuse_file
from alworkbench.project.session import Session, resolve, some_of
from alworkbench.prompts.ensembles import unit_images
from alworkbench.prompts.tuning.answer_file import AnswerFile
from alworkbench.prompts.tuning.class_prompts import prompt_texts
from alworkbench.prompts.tuning.objectives import C_TPT, Objective
from alworkbench.prompts.tuning.predictor import TuningCost, TuningPredictor
from alworkbench.prompts.tuning.recipe import TuningRecipe
from alworkbench.prompts.tuning.tuning_settings import DEFAULT_TUNING, TuningSettings
from alworkbench.prompts.tuning.view_features import TunableImage, ViewCache
from alworkbench.prompts.tuning.views import DEFAULT_VIEWS, ViewSettings

Source = Literal["pool", "audit", "newest-round"]
"""Which images are tuned for."""
BLOCK = 8192
"""Images whose features are read at once, which bounds the memory."""
BYTES = 4
"""Of a number of a view's features in the cache."""


@dataclass(frozen=True, slots=True)
class TuningReport:
    """What happened when prompts were tuned."""

    file: Path
    settings_file: Path
    images: int
    """Images that were chosen: answered + known + unreadable."""
    answered: int
    known: int
    """Images that had an answer in the file before."""
    unreadable: tuple[QuarantinedFile, ...]
    """Files that were skipped, with the reason."""


@dataclass(frozen=True, slots=True)
class PreparedTuning:
    """Prompt tuning that is ready to run: its cost can be looked at before."""

    session: Session
    answers: AnswerFile
    images: tuple[Task, ...]
    """All chosen images."""
    left: tuple[Task, ...]
    """Those without an answer in the file."""
    recipe: TuningRecipe
    predictor: TuningPredictor | None
    """None where no image is left: then the model is not loaded."""
    cache: ViewCache | None
    """None without images."""
    cut_names: tuple[str, ...]
    """Classes whose prompt is longer than the context of the model, which does not read the rest."""

    @property
    def cached(self) -> int:
        """How many of the images that are left have their views in the cache."""
        return 0 if self.cache is None else sum(task.hash in self.cache for task in self.left)

    def cost(self) -> TuningCost | None:
        """What the images that are left will cost, measured on this machine: seconds for a large model.

        None where no image is left, and without images: that is one step for the whole class list.
        """
        if self.predictor is None or self.recipe.views is None:
            return None
        with self.session.computing:
            return self.predictor.cost(len(self.left), self.cached)

    @property
    def cache_bytes(self) -> int:
        """Bytes that the cache of views will grow by."""
        if self.predictor is None or self.recipe.views is None:
            return 0
        numbers = self.recipe.views.count * self.predictor.tuner.untuned.features.shape[1]
        return (len(self.left) - self.cached) * numbers * BYTES

    def run(self, progress: Progress = silent) -> TuningReport:
        """Answer the images that are left. A file that cannot be read is skipped and reported.

        The answers are saved now and then, at the end, and where an error or the user ends the run. The same
        call goes on then, and the file gets the same bytes as without the interruption. Other computations
        of the project may run between two images.
        """
        unreadable: list[QuarantinedFile] = []
        try:
            for done, (task, found) in enumerate(self._answers(), 1):
                if isinstance(found, QuarantinedFile):
                    unreadable.append(found)
                else:
                    self.answers.add(task.hash, task.path, found)
                    self.answers.save_if_due()
                progress("tuning prompts", done, len(self.left))
        finally:
            self.answers.save()
        return TuningReport(
            file=self.answers.path,
            settings_file=self.answers.settings_path,
            images=len(self.images),
            answered=len(self.left) - len(unreadable),
            known=len(self.images) - len(self.left),
            unreadable=tuple(unreadable),
        )

    def _answers(self) -> Iterator[tuple[Task, Float[Tensor, "C"] | QuarantinedFile]]:
        """Each image that is left, with its probabilities, or with the reason why it has none."""
        if self.predictor is None:
            return iter(())
        if self.recipe.views is None:
            return self._without_images(self.predictor)
        return self._with_views(self.predictor)

    def _with_views(
        self, predictor: TuningPredictor
    ) -> Iterator[tuple[Task, Float[Tensor, "C"] | QuarantinedFile]]:
        for task in self.left:
            image = TunableImage(task.hash, partial(read_picture, task))
            try:
                with self.session.computing:
                    answer = next(predictor.predict([image]))
            except Undecodable as error:
                yield task, QuarantinedFile(task.path, error.code, error.detail)
            else:
                yield task, answer.probabilities

    def _without_images(
        self, predictor: TuningPredictor
    ) -> Iterator[tuple[Task, Float[Tensor, "C"] | QuarantinedFile]]:
        """The image features are those of the project: no file is read."""
        engine = self.session.engine()
        table = engine.table()
        refused = table.quarantined()
        with self.session.computing:
            texts = predictor.tuner.tune_without_images().features
        usable = []
        for task in self.left:
            if task.hash in refused:
                detail = "the encoder could not read it"
                yield task, QuarantinedFile(task.path, refused[task.hash], detail)
            else:
                usable.append(task)
        rows = table.rows_of([task.hash for task in usable])
        tasks = iter(usable)
        for _, block in table.blocks(rows, BLOCK, engine.device):
            for at in range(len(block)):
                # One by one: the bits of a product may depend on the other rows.
                image = unit_images(engine.head, block[torch.tensor([at], device=engine.device)])
                yield next(tasks), predictor.tuner.logits(image, texts)[0].softmax(dim=-1)


class PromptTuning:
    """Tunes prompts for images of the project. Reads the store and writes nothing to it."""

    def __init__(self, session: Session) -> None:
        self._session = session

    def prepare(
        self,
        file: Path,
        *,
        objective: Objective = C_TPT,
        tuning: TuningSettings = DEFAULT_TUNING,
        views: ViewSettings | None = DEFAULT_VIEWS,
        source: Source = "pool",
        most: int | None = None,
    ) -> PreparedTuning:
        """Choose the images, look which have an answer in `file` (.csv), and load the model if any is left.

        `views` None tunes without images: once for the class list, on the project's image features. `most`
        limits the images to a random sample that the project's seed fixes; a larger sample contains a
        smaller one. Raises FeaturesMissing before encoding, UnknownEncoder where the features came from
        a file, InvalidAnswerFile for a file of other settings, NothingToImport where there is no image,
        EncoderMismatch where the model was changed since encoding, PromptsNotTunable for a model
        whose text tower cannot be tuned, InvalidInitPhrase for a phrase that cannot be the context.
        """
        session = self._session
        record = session.encoder_record()
        refuse_file(
            record,
            "views of its images and tune its prompts",
            "Tune prompts in a project whose encoder is a model: `alworkbench models` lists them.",
        )
        names = session.classes().names
        recipe = TuningRecipe(record.id, names, objective, tuning, views)
        answers = AnswerFile(file, recipe)
        images = self.images(source, most)
        left = tuple(task for task in images if task.hash not in answers)
        cache = None if views is None else ViewCache(session.folder.views, record.id, views)
        if views is None:
            self._check_features(left)
        predictor = self._predictor(recipe, record.spec, cache) if left else None
        prompts = prompt_texts(names, tuning.phrase)
        cut = set(cut_prompts(record.spec, prompts))
        cut_names = tuple(n for n, prompt in zip(names, prompts, strict=True) if prompt in cut)
        return PreparedTuning(session, answers, images, left, recipe, predictor, cache, cut_names)

    def images(self, source: Source = "pool", most: int | None = None) -> tuple[Task, ...]:
        """Hash and path of the chosen images, at most `most`. Raises NothingToImport if there is none."""
        with self._session.store.read() as reader:
            if source == "newest-round":
                rounds = reader.rounds.all()
                items = reader.rounds.items(rounds[-1].id) if rounds else []
                found = [reader.images.get(item.image_id) for item in items]
                places = [(image.hash, image.paths[-1]) for image in found]
            else:
                places = reader.images.hashes_and_paths(Role(source))
            seed, white = reader.settings().seed, reader.settings().white_point
        if not places:
            where = "newest round" if source == "newest-round" else source
            raise NothingToImport(
                f"The {where} has no image to tune prompts for. Import images with "
                f"`alworkbench import FOLDER`, or choose other images with `--of`."
            )
        chosen = range(len(places)) if most is None else some_of(range(len(places)), most, seed)
        folder = self._session.folder
        return tuple(Task(places[k][0], str(resolve(folder, places[k][1])), white) for k in chosen)

    def _check_features(self, images: Sequence[Task]) -> None:
        """Raises FeaturesMissing for images that were never encoded."""
        table = self._session.engine().table()
        refused = table.quarantined()
        known = table.has([task.hash for task in images])
        pairs = zip(images, known, strict=True)
        missing = sum(not has and task.hash not in refused for task, has in pairs)
        if missing:
            raise FeaturesMissing(missing, len(images))

    def _predictor(
        self, recipe: TuningRecipe, spec: str, cache: ViewCache | None
    ) -> TuningPredictor:
        from alworkbench.encoders.loading import load_model  # it imports open_clip: seconds

        with self._session.computing:
            found = load_model(spec, self._session.device)
            if found.id != recipe.encoder_id:
                raise EncoderMismatch("The project's features", recipe.encoder_id, found.id)
            return TuningPredictor(
                found.model,
                found.tokenize,
                found.preprocess,
                recipe.class_names,
                objective=recipe.objective,
                tuning=recipe.tuning,
                views=recipe.views or DEFAULT_VIEWS,
                cache=cache,
            )
