"""The service: everything that can be done with one project, in the words of the domain.

Screens, commands and simulations all call this and nothing below it. Each method is one use; what it
computes it computes outside of any transaction, and publishes in one short one. The methods lie with
their use in `alworkbench.project`.
"""

from __future__ import annotations

from alworkbench.project.auditing import Auditing
from alworkbench.project.labels import Answering
from alworkbench.project.rounds import MEMORY, TARGETS, Asking
from alworkbench.project.session import utc_now
from alworkbench.project.status import Status
from alworkbench.project.taking_in import TakingIn
from alworkbench.project.views import Reading

__all__ = ["MEMORY", "TARGETS", "Status", "Workbench", "utc_now"]


class Workbench(Reading, TakingIn, Answering, Asking, Auditing):
    """One project, open. Safe to share between the threads of a process; `with` closes it."""

    def close(self) -> None:
        """Close the store. A `with` block does so at its end."""
        self.store.close()

    def __enter__(self) -> Workbench:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()
