"""One repository for each noun. They add and read within the caller's transaction, never commit."""

from store.repositories.classes import ClassRepository
from store.repositories.computed import ComputedRepository
from store.repositories.images import ImageRepository
from store.repositories.jobs import JobRepository
from store.repositories.labels import LabelRepository
from store.repositories.notes import NoteRepository
from store.repositories.people import PeopleRepository
from store.repositories.prepared import PreparedRepository
from store.repositories.project import ProjectRepository
from store.repositories.reviews import ReviewRepository
from store.repositories.rounds import RoundRepository

__all__ = [
    "ClassRepository",
    "ComputedRepository",
    "ImageRepository",
    "JobRepository",
    "LabelRepository",
    "NoteRepository",
    "PeopleRepository",
    "PreparedRepository",
    "ProjectRepository",
    "ReviewRepository",
    "RoundRepository",
]
