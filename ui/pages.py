"""The pages of the navigation: section, least role, and who draws each. A new page is one line here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alworkbench.core.domain import Person, PersonRole
from ui.views import (
    calibration,
    classes,
    curves,
    errors,
    export_page,
    gallery,
    grid,
    import_page,
    label,
    map_page,
    people,
    project,
    review,
    rounds,
    settings,
    simulations,
    support_set,
)
from ui.views.trouble import Render


class Section(StrEnum):
    """A group of pages in the navigation, in the order of the groups."""

    WORK = "Work"
    IMAGES = "Images"
    ROUNDS = "Rounds"
    EVIDENCE = "Evidence"
    SET_UP = "Set-up"


@dataclass(frozen=True, slots=True)
class PageEntry:
    """A page, and the least role of people who see it."""

    title: str
    url: str
    section: Section
    needed: PersonRole
    render: Render


PAGES = (
    PageEntry("Label", "label", Section.WORK, PersonRole.ANNOTATOR, label.render),
    PageEntry("Grid", "grid", Section.WORK, PersonRole.ANNOTATOR, grid.render),
    PageEntry("Review", "review", Section.WORK, PersonRole.REVIEWER, review.render),
    PageEntry("Gallery", "gallery", Section.IMAGES, PersonRole.MANAGER, gallery.render),
    PageEntry("Map", "map", Section.IMAGES, PersonRole.MANAGER, map_page.render),
    PageEntry("Rounds", "rounds", Section.ROUNDS, PersonRole.MANAGER, rounds.render),
    PageEntry("Curves", "curves", Section.EVIDENCE, PersonRole.MANAGER, curves.render),
    PageEntry("Errors", "errors", Section.EVIDENCE, PersonRole.MANAGER, errors.render),
    PageEntry(
        "Calibration", "calibration", Section.EVIDENCE, PersonRole.MANAGER, calibration.render
    ),
    PageEntry(
        "Simulations", "simulations", Section.EVIDENCE, PersonRole.MANAGER, simulations.render
    ),
    PageEntry("Classes and prompts", "classes", Section.SET_UP, PersonRole.MANAGER, classes.render),
    PageEntry("Support set", "support-set", Section.SET_UP, PersonRole.MANAGER, support_set.render),
    PageEntry("Import", "import", Section.SET_UP, PersonRole.MANAGER, import_page.render),
    PageEntry("Export", "export", Section.SET_UP, PersonRole.MANAGER, export_page.render),
    PageEntry("Project", "project", Section.SET_UP, PersonRole.MANAGER, project.render),
    PageEntry("People", "people", Section.SET_UP, PersonRole.MANAGER, people.render),
    PageEntry("Settings", "settings", Section.SET_UP, PersonRole.MANAGER, settings.render),
)


def pages_of(person: Person | None) -> list[PageEntry]:
    """The pages that a person may see; a visitor who is not signed in gets the first alone."""
    if person is None:
        return [PAGES[0]]
    return [each for each in PAGES if person.role.includes(each.needed)]


def first_page(person: Person | None) -> PageEntry:
    """Where the bare address leads: managers to the project, everybody else to the desk."""
    found = {each.url: each for each in pages_of(person)}
    return found.get("project", found["label"])
