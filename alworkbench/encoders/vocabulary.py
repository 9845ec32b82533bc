"""A general vocabulary: the class names of ImageNet, as open_clip words them."""

from __future__ import annotations

VOCABULARY_TEMPLATE = "a photo of a {}."


def imagenet_names() -> tuple[str, ...]:
    """About 1,000 names, most of which every large vision-language model knows."""
    from open_clip.zero_shot_metadata import IMAGENET_CLASSNAMES

    return tuple(dict.fromkeys(IMAGENET_CLASSNAMES))


def vocabulary_prompts() -> list[str]:
    """One prompt for each name of the vocabulary."""
    return [VOCABULARY_TEMPLATE.format(name) for name in imagenet_names()]
