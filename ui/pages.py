"""The pages of the navigation: section, least role, and who draws each. A new page is one line here."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from alworkbench.core.domain import Person, PersonRole
from ui.views import curves, gallery, label, map_page, people, project, review
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
    PageEntry("Review", "review", Section.WORK, PersonRole.REVIEWER, review.render),
    PageEntry("Gallery", "gallery", Section.IMAGES, PersonRole.MANAGER, gallery.render),
    PageEntry("Map", "map", Section.IMAGES, PersonRole.MANAGER, map_page.render),
    PageEntry("Curves", "curves", Section.EVIDENCE, PersonRole.MANAGER, curves.render),
    PageEntry("Project", "project", Section.SET_UP, PersonRole.MANAGER, project.render),
    PageEntry("People", "people", Section.SET_UP, PersonRole.MANAGER, people.render),
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
