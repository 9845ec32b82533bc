"""The small real project of the service's tests."""

from tests.service.conftest import answers, made, project, workbench

__all__ = ["answers", "made", "project", "workbench"]
