"""Templates compared on a project's pool, and taken into its class list.

Comparing writes nothing but the cache of prompt activations.

Dimensions used in this file
    T  templates
    C  classes
    Q  text activation size
    D  embedding size
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from alworkbench.core.domain import ClassList, Role
from alworkbench.core.errors import EncoderError, NothingToImport, TooFewLabels
from alworkbench.core.progress import Progress, silent
from alworkbench.encoders.context_length import cut_prompts
from alworkbench.features.prompts import encode_missing
from alworkbench.features.store import FeatureStore
from alworkbench.project.artifacts import load_project_encoder, refuse_file
from alworkbench.project.class_texts import WITHOUT_ENCODER
from alworkbench.project.classes import Classes
from alworkbench.project.image_columns import ImageColumns
from alworkbench.project.measurements import audit_truth
from alworkbench.project.session import Session, some_of
from alworkbench.project.template_comparison import (
    TemplateComparison,
    keep_comparison,
    kept_comparison,
    marks_of,
)
from alworkbench.prompts.audit_figures import AuditPart
from alworkbench.prompts.effect import Effect, prompt_effect
from alworkbench.prompts.ensembles import unit_images
from alworkbench.prompts.library import (
    TemplateSet,
    checked,
    collected,
    find_set,
    template_sets,
)
from alworkbench.prompts.ranking import Criterion, Ranking, rank_templates
from alworkbench.prompts.template_prompts import prompts_of_templates, template_activations

MOST_IMAGES = 20_000
"""Images of the pool that templates are compared on: of a larger pool a random sample, fixed by the project's
seed. The standard error of an agreement is then at most 0.4 points."""
BLOCK = 8192
"""Images that are predicted at once, which bounds the memory."""
DEFAULT_SET = "imagenet"
"""The templates that are ranked if none are named."""


class Prompts:
    """Compares prompt templates by the model before any label (zero-shot), and uses them."""

    def __init__(self, session: Session, classes: Classes) -> None:
        self._session = session
        self._classes = classes

    def cut_names(self, templates: Sequence[str]) -> tuple[str, ...]:
        """Names of classes whose prompt is cut at the context length in at least one of these templates.

        The model does not read what is cut. Raises UnknownEncoder where features came from a file.
        """
        record = self._session.encoder_record()
        refuse_file(record, "prompts", WITHOUT_ENCODER)
        names = self._classes.current().names
        prompts = prompts_of_templates(names, checked(templates))
        cut = set(cut_prompts(record.spec, prompts))
        return tuple(
            name for k, name in enumerate(names) if not cut.isdisjoint(prompts[k :: len(names)])
        )

    def rank(
        self,
        templates: Sequence[str] | None = None,
        by: Criterion = "atfd",
        progress: Progress = silent,
    ) -> Ranking:
        """Rank templates (by default those of DEFAULT_SET) on the pool; see `prompts.ranking`.

        The labels of the pool are not looked at; those of the audit set are shown beside the rank, and
        decide it if `by` is nlpd. Raises InvalidTemplates, FeaturesMissing, NothingToImport for
        an empty pool, TooFewLabels for a ranking by NLPD without audit labels, EncoderMismatch, and
        UnknownEncoder where the features came from a file.
        """
        given = checked(find_set(DEFAULT_SET).templates if templates is None else templates)
        audit = self._audit()
        if by == "nlpd" and audit is None:
            raise TooFewLabels(
                "Ranking templates by NLPD", 0, 1, "in the audit set",
                "Draw and label an audit set (`alworkbench audit`), or rank by ATFD.",
            )  # fmt: skip
        activations = self._activations(given, progress)
        head = self._session.engine().head
        return rank_templates(head, given, activations, self._pool(progress), audit, by)

    def effect(self, templates: Sequence[str], progress: Progress = silent) -> Effect:
        """What these templates together would change on the pool, against the present prompts.

        Raises what `rank` raises.
        """
        activations = self._activations(checked(templates), progress)
        engine = self._session.engine()
        now = engine.class_activations(self._classes.current())
        return prompt_effect(engine.head, now, activations, self._pool(progress), self._audit())

    def compare(
        self, templates: Sequence[str], by: Criterion = "atfd", progress: Progress = silent
    ) -> TemplateComparison:
        """`rank` and `effect` of the same templates, kept for `compared`. Raises what `rank` raises."""
        session, given = self._session, checked(templates)
        marks = marks_of(session)
        ranking = self.rank(given, by, progress)
        effect, cut = self.effect(given, progress), self.cut_names(given)
        found = TemplateComparison(ranking, effect, session.now(), cut, marks)
        keep_comparison(session, found)
        return found

    def compared(self) -> TemplateComparison | None:
        """The newest comparison of templates; None before the first."""
        return kept_comparison(self._session)

    def sets(self) -> tuple[TemplateSet, ...]:
        """The sets of the library, the published ones first."""
        return template_sets()

    def collected(self, sets: Sequence[str], templates: Sequence[str]) -> tuple[str, ...]:
        """The templates of these sets and these templates, each once. Raises InvalidTemplates."""
        return collected(sets, (), templates)

    def unreadable(self) -> str | None:
        """Why no model can read templates here: nothing is encoded yet, or features came from a file."""
        try:
            refuse_file(self._session.encoder_record(), "prompts", WITHOUT_ENCODER)
        except EncoderError as reason:
            return str(reason)
        return None

    def use(self, templates: Sequence[str], progress: Progress = silent) -> ClassList:
        """Give every class these templates: a new version of the class list; see `Classes.use_templates`.

        Raises InvalidTemplates, RoundStillOpen, FeaturesMissing, EncoderMismatch, and UnknownEncoder where
        the features came from a file.
        """
        given = checked(templates)
        refuse_file(self._session.encoder_record(), "prompts", WITHOUT_ENCODER)
        return self._classes.use_templates(given, progress=progress)

    def _activations(self, templates: Sequence[str], progress: Progress) -> Float[Tensor, "T C Q"]:
        """Activations of the templates with all class names; prompts are encoded once and kept."""
        session = self._session
        record = session.encoder_record()
        refuse_file(record, "prompts", WITHOUT_ENCODER)
        features = FeatureStore(session.folder.features / record.id)
        names = self._classes.current().names
        with session.computing:
            prompts = prompts_of_templates(names, templates)
            if features.missing_prompts(prompts):
                encoder = load_project_encoder(record, session.device, "prompts", WITHOUT_ENCODER)
                encode_missing(features, encoder, prompts, progress)
        return template_activations(features, names, templates).to(session.engine().device)

    def _pool(self, progress: Progress) -> Iterator[Float[Tensor, "N D"]]:
        """Unit image embeddings of at most MOST_IMAGES images of the pool, in blocks."""
        engine, session = self._session.engine(), self._session
        with session.store.read() as reader:
            pool = ImageColumns.read(reader, Role.POOL)
        in_order = np.sort(session.encoded_of(pool).rows)
        rows = some_of(in_order, MOST_IMAGES, session.settings().seed)
        if not rows:
            raise NothingToImport(
                "The pool has no image to compare templates on. Import images with "
                "`alworkbench import FOLDER`, and encode them with `alworkbench encode`."
            )
        done = 0
        for chosen, block in engine.table().blocks(torch.tensor(rows), BLOCK, engine.device):
            yield unit_images(engine.head, block)
            done += len(chosen)
            progress("comparing templates", done, len(rows))

    def _audit(self) -> AuditPart | None:
        """The audit images with a label of the present classes; None without any."""
        with self._session.store.read() as reader:
            truth = audit_truth(reader, self._classes.current())
        if not truth:
            return None
        engine = self._session.engine()
        rows = engine.table().rows_of(list(truth))
        images = [
            unit_images(engine.head, block)
            for _, block in engine.table().blocks(rows, BLOCK, engine.device)
        ]
        labels = torch.tensor(list(truth.values()), dtype=torch.long, device=engine.device)
        return AuditPart(torch.cat(images), labels)
