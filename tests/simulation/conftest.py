"""The small real project that the tests of several rooms use."""

from tests.making_project import answers, made, project, workbench

__all__ = ["answers", "made", "project", "workbench"]
