"""Prompt templates that open_clip ships, as texts in which `{}` stands for the class name."""

from __future__ import annotations


def imagenet_templates() -> tuple[str, ...]:
    """The 80 templates that OpenAI chose for ImageNet. Radford et al., 2021, arXiv:2103.00020."""
    from open_clip.zero_shot_metadata import OPENAI_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in OPENAI_IMAGENET_TEMPLATES)


def simple_templates() -> tuple[str, ...]:
    """The 7 of them that OpenAI found to be nearly as good together as all 80."""
    from open_clip.zero_shot_metadata import SIMPLE_IMAGENET_TEMPLATES

    return tuple(template("{}") for template in SIMPLE_IMAGENET_TEMPLATES)
