"""The sets of prompt templates: published ones, those of some domains, and a user's own from a file.

A template is a text in which `{}` stands for the class name, such as `a photo of a {}.`.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from alworkbench.core.errors import InvalidTemplates, did_you_mean
from alworkbench.core.names import fault_of_name
from alworkbench.core.reasons import why_unreadable
from alworkbench.encoders.published_templates import imagenet_templates, simple_templates
from alworkbench.prompts import domain_templates as domains

LONGEST = 300
"""Characters of a template at most."""


@dataclass(frozen=True, slots=True)
class TemplateSet:
    """Templates with a name, for one kind of pictures."""

    name: str
    summary: str
    templates: tuple[str, ...]


def template_sets() -> tuple[TemplateSet, ...]:
    """Every set, the published ones first."""
    return (
        TemplateSet("imagenet", "80 templates of OpenAI for ImageNet", imagenet_templates()),
        TemplateSet("imagenet-simple", "7 of them, nearly as good together", simple_templates()),
        TemplateSet("photo", "photographs of things", domains.PHOTO),
        TemplateSet("satellite", "satellite and aerial images", domains.SATELLITE),
        TemplateSet("documents", "scanned pages and screenshots", domains.DOCUMENTS),
        TemplateSet("medical", "scans, microscope images, clinical photos", domains.MEDICAL),
        TemplateSet("texture", "textures and materials", domains.TEXTURE),
        TemplateSet("product", "pictures of goods", domains.PRODUCT),
        TemplateSet("clothing", "clothes and what people wear", domains.CLOTHING),
        TemplateSet("nature", "animals and plants", domains.NATURE),
        TemplateSet("food", "dishes and ingredients", domains.FOOD),
        TemplateSet("scene", "places, rooms and landscapes", domains.SCENE),
        TemplateSet("inspection", "damage and defects", domains.INSPECTION),
        TemplateSet("drawing", "drawings, sketches and symbols", domains.DRAWING),
    )


def find_set(name: str) -> TemplateSet:
    """The set of this name. Raises InvalidTemplates."""
    known = {each.name: each for each in template_sets()}
    if name not in known:
        raise InvalidTemplates(
            f"There is no set of templates {name!r}.{did_you_mean(name, known)} `alworkbench prompts "
            f"list` shows the sets."
        )
    return known[name]


def read_templates(path: Path) -> tuple[str, ...]:
    """Templates of a text file in UTF-8: one a line; empty lines and lines that begin with # are skipped.

    Raises InvalidTemplates for a file that cannot be read or holds none, and for a line without `{}`.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidTemplates(
            f"{path} cannot be read as a list of templates ({why_unreadable(error)}). Give a text file "
            f"in UTF-8 with one template per line."
        ) from error
    found = [line for line in lines if line.strip() and not line.lstrip().startswith("#")]
    return checked(found, str(path))


def checked(templates: Iterable[str], source: str = "the given templates") -> tuple[str, ...]:
    """The templates without white space at their ends, each once, in their order.

    Raises InvalidTemplates if there is none, for a template without `{}`, and for one that is longer
    than LONGEST or holds a control character. `source` names their origin in the message.
    """
    found = tuple(dict.fromkeys(template.strip() for template in templates))
    for each in found:
        if "{}" not in each or len(each) > LONGEST or fault_of_name(each) is not None:
            raise InvalidTemplates(
                f"{each[:80]!r} of {source} is not a template. A template has at most {LONGEST} "
                f"characters, no control characters, and {{}} for the class name, such as "
                f"'a photo of a {{}}.'."
            )
    if not found:
        raise InvalidTemplates(
            f"There is no template in {source}. Name a set (`alworkbench prompts list` shows them), "
            f"a text file with one template per line, or a template such as 'a photo of a {{}}.'."
        )
    return found


def collected(
    sets: Sequence[str] = (), files: Sequence[Path] = (), templates: Sequence[str] = ()
) -> tuple[str, ...]:
    """The templates of these sets and files, and these templates, each once, in this order.

    Raises InvalidTemplates, also where nothing is named.
    """
    found = [template for name in sets for template in find_set(name).templates]
    found += [template for path in files for template in read_templates(path)]
    return checked([*found, *templates])
