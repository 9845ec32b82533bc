"""Unknown names are found from the text posterior alone, each by itself."""

import itertools

import pytest
import torch

from alworkbench.core.assets import bundled_posterior
from alworkbench.datasets.sample import SAMPLE, UNKNOWN_TO_BUNDLED_MODEL
from alworkbench.encoders import load_encoder
from alworkbench.encoders.head import ensemble_prompts
from alworkbench.posterior.curvature import KroneckerFactors
from alworkbench.posterior.kronecker import KroneckerPosterior
from alworkbench.posterior.name_novelty import has_captions, known_names, normalised_leverage
from alworkbench.posterior.posterior_file import load_posterior
from tests.factories import normal

TEMPLATES = SAMPLE.classes[0].templates
KNOWN = [c.name for c in SAMPLE.classes if c.name not in UNKNOWN_TO_BUNDLED_MODEL]


def belief(captions: torch.Tensor, scale: float = 1.0) -> KroneckerPosterior:
    projection = normal(7, 5, captions.shape[1])
    seen = KroneckerFactors(scale * captions.T @ captions, torch.eye(5).double(), len(captions))
    return KroneckerPosterior.from_factors(projection, seen)


@pytest.fixture(scope="module")
def bundled():
    encoder = load_encoder("bundled", torch.device("cpu"))
    text = load_posterior(bundled_posterior("bundled")).posterior.text

    def told(names, templates=TEMPLATES):
        prompts = [template.replace("{}", name) for name in names for template in templates]
        own = torch.arange(len(names)).repeat_interleave(len(templates))
        classes = ensemble_prompts(encoder.head, encoder.encode_prompts(prompts), own)
        return known_names(text, names, classes)

    return told


def unknown(found):
    return [each.name for each in found if each.unknown]


def test_captions_have_normalised_leverage_one_on_average():
    captions = normal(1, 60, 8)
    text = belief(captions)
    weights = (captions @ text.mean.T).square().sum(dim=-1)
    mean = (weights * normalised_leverage(text, captions)).sum() / weights.sum()
    assert float(mean) == pytest.approx(1.0, abs=1e-9)


def test_lengths_strengths_and_scales_change_nothing():
    captions, names = normal(1, 60, 8), normal(2, 6, 8)
    expected = normalised_leverage(belief(captions), names)
    stretched = normal(3, 6, 1).abs() * names
    for text, given in (
        (belief(captions), stretched),
        (belief(captions, 30.0), names),
        (belief(captions).tempered(1e-3), names),
        (belief(captions).with_prior(50.0), names),
    ):
        assert torch.allclose(normalised_leverage(text, given), expected, rtol=1e-6)


def test_the_bound_is_at_least_the_number_of_equal_captions():
    captions = normal(1, 60, 8)
    often = captions[:1].expand(40, -1)
    (found,) = known_names(belief(torch.cat([captions, often])), ["a"], captions[:1])
    assert not found.unknown
    # exact for captions of one length; these differ
    assert found.most_captions >= 41 / 3


def test_a_name_in_a_direction_without_captions_is_unknown():
    captions = normal(1, 60, 8)
    captions[:, 7] = 0
    aside = torch.eye(8, dtype=torch.float64)[7:]
    (found,) = known_names(belief(captions), ["aside"], aside)
    assert found.unknown
    assert found.most_captions == 0
    assert found.share < 1e-3


def test_the_names_unknown_to_the_bundled_model_are_found(bundled):
    found = unknown(bundled([c.name for c in SAMPLE.classes]))
    assert sorted(found) == sorted(UNKNOWN_TO_BUNDLED_MODEL)


def test_known_names_are_not_called_unknown(bundled):
    assert unknown(bundled(KNOWN)) == []
    assert all(each.most_captions > 100 for each in bundled(KNOWN))


@pytest.mark.parametrize(
    "names",
    [
        ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"],
        list("0123456789"),
        list("abcdefghij"),
        ["blorf", "zzyzx", "qwerty"],
    ],
    ids=["digits", "signs", "letters", "nonsense"],
)
def test_lists_without_known_names_are_all_unknown(bundled, names):
    assert unknown(bundled(names)) == names


def test_the_other_names_of_a_list_have_no_effect():
    text, activations = belief(normal(1, 60, 8)), normal(2, 4, 8)
    together = known_names(text, "abcd", activations)
    for one, other in itertools.combinations(range(4), 2):
        pair = known_names(text, "abcd"[one] + "abcd"[other], activations[[one, other]])
        assert [p.most_captions for p in pair] == [together[k].most_captions for k in (one, other)]
        assert [p.leverage for p in pair] == pytest.approx(
            [together[k].leverage for k in (one, other)]
        )


def test_posteriors_from_prompts_have_no_captions():
    assert has_captions({"pairs": 3000})
    assert not has_captions({"approximation": "pool images against prompts"})
