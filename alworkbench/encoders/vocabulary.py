"""A general vocabulary: the class names of ImageNet in the wording that open_clip ships."""

from __future__ import annotations

VOCABULARY_TEMPLATE = "a photo of a {}."


def imagenet_names() -> tuple[str, ...]:
    """1,000 names of things, most of which every large vision-language model has seen."""
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    return tuple(dict.fromkeys(IMAGENET_CLASSNAMES))


def vocabulary_prompts() -> list[str]:
    """One prompt for each name."""
    return [VOCABULARY_TEMPLATE.format(name) for name in imagenet_names()]
