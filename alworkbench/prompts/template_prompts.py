"""The prompts of templates and class names, and their activations in the feature store.

Dimensions used in this file
    T  templates
    C  classes
    Q  text activation size
"""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from alworkbench.core.domain import LabelClass
from alworkbench.core.errors import FeaturesMissing
from alworkbench.features.store import FeatureStore


def prompts_of_templates(names: Sequence[str], templates: Sequence[str]) -> list[str]:
    """T x C prompts: those of the first template in the order of the names, then those of the second."""
    return [
        prompt
        for template in templates
        for name in names
        for prompt in LabelClass(name, (template,)).prompts
    ]


def template_activations(
    features: FeatureStore, names: Sequence[str], templates: Sequence[str]
) -> Float[Tensor, "T C Q"]:
    """The text activations of every template with every class name, from the store.

    Raises FeaturesMissing if a prompt was never encoded (`features.prompts.encode_missing`).
    """
    prompts = prompts_of_templates(names, templates)
    found = features.prompt_activations(prompts)
    if found is None:
        missing = len(features.missing_prompts(prompts))
        raise FeaturesMissing(missing, len(prompts), what="prompts of the templates")
    return found.reshape(len(templates), len(names), -1)
