"""The list of strategies: its order, removed names, and what importing it loads."""

import subprocess
import sys
from pathlib import Path

import pytest

from alworkbench.acquisition.catalogue import STRATEGIES, find_strategy
from alworkbench.acquisition.strategy import Strategy
from alworkbench.acquisition.strategy_cards import CARDS, RETIRED, score_unit
from alworkbench.core.domain import DEFAULT_STRATEGY
from alworkbench.core.errors import UnknownStrategy

NAMES = [strategy.name for strategy in STRATEGIES]


def test_every_card_describes_one_strategy_in_the_same_order():
    assert [card.name for card in CARDS] == NAMES


def test_strategies_are_listed_in_the_stated_order():
    assert NAMES == [
        "coverage",
        "random",
        "balanced-random",
        "margin",
        "entropy",
        "least-confidence",
        "predictive-entropy",
        "bald",
        "batchbald",
        "epig",
        "epig-draws",
        "power-margin",
        "power-bald",
        "badge",
        "coreset",
        "typiclust",
        "probcover",
        "targeted",
        "modal-ranked-batch",
        "modal-vote-entropy",
        "modal-consensus-entropy",
        "modal-max-disagreement",
    ]
    assert NAMES[0] == DEFAULT_STRATEGY


def test_every_entry_is_a_strategy_and_is_found_by_its_name():
    assert all(isinstance(strategy, Strategy) for strategy in STRATEGIES)
    assert [find_strategy(name) for name in NAMES] == list(STRATEGIES)
    assert find_strategy("default") is find_strategy(DEFAULT_STRATEGY)


def test_an_unknown_name_is_answered_with_the_nearest():
    with pytest.raises(UnknownStrategy, match="Did you mean 'entropy'"):
        find_strategy("entrop")


@pytest.mark.parametrize(("name", "instead"), RETIRED.items())
def test_a_retired_name_is_answered_with_what_to_use_instead(name, instead):
    assert name not in NAMES
    assert instead in NAMES
    with pytest.raises(UnknownStrategy, match=f"{name}.* was removed.* Use '{instead}' instead"):
        find_strategy(name)


def test_scores_of_any_stored_round_can_be_shown():
    assert score_unit("margin") == "probability"
    assert score_unit("audit") == score_unit("epig-closed") == ""


def test_the_catalogue_loads_neither_modal_nor_scipys_statistics():
    code = (
        "import sys, alworkbench.acquisition.catalogue;"
        "sys.exit(bool({'modAL', 'scipy.stats'} & set(sys.modules)))"
    )
    root = Path(__file__).parents[2]
    assert subprocess.run([sys.executable, "-c", code], cwd=root).returncode == 0
