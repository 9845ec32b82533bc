"""The error of a file that is no usable picture."""

from __future__ import annotations

from alworkbench.core.domain import QuarantineCode


class Undecodable(Exception):
    """The file is not a usable picture. Callers put it into quarantine; a user never sees this error."""

    def __init__(self, code: QuarantineCode, detail: str) -> None:
        super().__init__(f"{code}: {detail}")
        self.code = code
        self.detail = detail

    def __reduce__(self) -> tuple[type[Undecodable], tuple[QuarantineCode, str]]:
        return Undecodable, (self.code, self.detail)  # so that it can be sent between processes
