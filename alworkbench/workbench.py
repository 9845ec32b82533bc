"""The service: everything that can be done with one project, in the words of the domain.

Screens, commands and simulations all call this and nothing below it. Each method is one use; what it
computes it computes outside of any transaction, and publishes in one short one. The methods lie with
their use in `alworkbench.service`.
"""

from __future__ import annotations

from alworkbench.service.answering import Answering
from alworkbench.service.asking import MEMORY, TARGETS, Asking
from alworkbench.service.auditing import Auditing
from alworkbench.service.project import utc_now
from alworkbench.service.reading import Reading
from alworkbench.service.status import Status
from alworkbench.service.taking_in import TakingIn

__all__ = ["MEMORY", "TARGETS", "Status", "Workbench", "utc_now"]


class Workbench(Reading, TakingIn, Answering, Asking, Auditing):
    """One project, open. Safe to share between the threads of a process."""
