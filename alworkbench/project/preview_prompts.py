"""New prompts of previews: encoded a few at a time, by one thread of a project, and kept in memory.

What is encoded is kept at once: a preview that is stopped leaves its work to the next one, and two previews
encode no prompt twice.

Dimensions used in this file
    T  prompts
    Q  text activation size
"""

from __future__ import annotations

import threading
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Sequence

from jaxtyping import Float
from torch import Tensor

from alworkbench.core.errors import PreviewReplaced, PreviewTooLarge
from alworkbench.project.class_texts import WITHOUT_ENCODER
from alworkbench.project.session import Session

AT_ONCE = 16
"""Prompts that are encoded at once, so that other threads come in between."""
MOST_PROMPTS = 20_000
"""New prompts of one preview."""
MOST_KEPT = 20_000
"""Prompts whose activations are kept in memory: as many as one preview may have."""


class PreviewPrompts:
    """The new prompts of one project. Threads share it."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._kept: OrderedDict[str, Tensor] = OrderedDict()
        self._asked: Counter[str] = Counter()
        self._lock = threading.Lock()
        self._encoding = threading.Lock()

    def ask(self, by: str | None) -> Callable[[], bool]:
        """Note that a person asks for a preview. The result says whether they asked for another one since.

        None: nobody replaces this one.
        """
        if by is None:
            return lambda: False
        with self._lock:
            self._asked[by] += 1
            own = self._asked[by]
        return lambda: self._asked[by] != own

    def encoded(
        self, prompts: Sequence[str], replaced: Callable[[], bool]
    ) -> dict[str, Float[Tensor, "Q"]]:
        """The activation of each prompt, from memory or from the model.

        Raises PreviewTooLarge, PreviewReplaced as soon as it is, FeaturesMissing before the first encoding,
        and UnknownEncoder where the features came from a file.
        """
        found: dict[str, Tensor] = {}
        missing = self._missing(dict.fromkeys(prompts), found)
        if len(missing) > MOST_PROMPTS:
            raise PreviewTooLarge(len(missing), MOST_PROMPTS)
        while missing:
            with self._encoding:
                if replaced():
                    raise PreviewReplaced
                missing = self._missing(missing, found)  # another thread may have encoded some
                if part := missing[:AT_ONCE]:
                    encoder = self._session.text_encoder("the prompts of a class", WITHOUT_ENCODER)
                    self._keep(part, encoder.encode_prompts(part).float().cpu())
            missing = self._missing(missing, found)
        return found

    def _keep(self, prompts: Sequence[str], rows: Float[Tensor, "T Q"]) -> None:
        with self._lock:
            self._kept |= zip(prompts, rows, strict=True)
            while len(self._kept) > MOST_KEPT:
                self._kept.popitem(last=False)

    def _missing(self, prompts: Iterable[str], found: dict[str, Tensor]) -> list[str]:
        """The prompts that have no activation yet; those in memory are put into `found`."""
        with self._lock:
            for each in prompts:
                if each in self._kept:
                    found[each] = self._kept[each]
                    self._kept.move_to_end(each)
        return [each for each in prompts if each not in found]
