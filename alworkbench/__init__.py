"""Active learning for images with the Laplace posterior of a vision-language model.

The names below are the public interface. Importing the package is cheap: torch and open_clip are
loaded by the first of these names that is used.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from alworkbench.api import open_project, simulate
    from alworkbench.estimators.laplace_vlm import LaplaceVLMClassifier
    from alworkbench.estimators.modal import query_strategy
    from alworkbench.project.workbench import Workbench
else:

    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return getattr(import_module(_HOMES[name]), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


__all__ = ["LaplaceVLMClassifier", "Workbench", "open_project", "query_strategy", "simulate"]
__version__ = "0.1.0"

_HOMES = {
    "LaplaceVLMClassifier": "alworkbench.estimators.laplace_vlm",
    "Workbench": "alworkbench.project.workbench",
    "open_project": "alworkbench.api",
    "query_strategy": "alworkbench.estimators.modal",
    "simulate": "alworkbench.api",
}


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
