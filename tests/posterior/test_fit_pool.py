"""A posterior without captions is the expected fit with captions drawn at random."""

import dataclasses

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import alworkbench.posterior.fit_pool as module
from alworkbench.core.domain import ClassList, LabelClass
from alworkbench.core.errors import FeaturesMissing, NothingToImport
from alworkbench.encoders.head import Features
from alworkbench.encoders.vocabulary import imagenet_names, vocabulary_prompts
from alworkbench.engines.local_engine import LocalEngine
from alworkbench.features.entry import Entry
from alworkbench.features.store import FeatureStore
from alworkbench.features.table import FeatureTable
from alworkbench.features.writer import ShardBudget
from alworkbench.posterior.curvature import activation_factor, embedding_factor, pair_curvature
from alworkbench.posterior.fit_pool import fit_from_pool, pool_factors, prompts_of
from alworkbench.posterior.predictive import logit_moments
from tests.factories import normal, small_model

CLOSE = {"rtol": 1e-4, "atol": 1e-4}


def table_of(features):
    return FeatureTable.from_features([f"{k:064d}" for k in range(len(features))], features)


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
@pytest.mark.parametrize("residuals", [False, True])
def test_prompts_equal_to_the_captions_give_the_fit_from_pairs(loss, residuals):
    """One batch, and the prompts happen to be one caption for each image: the two fits are one."""
    model = small_model(images=9, loss=loss, residuals=residuals, dtype=torch.float32)
    found = pool_factors(model.head, table_of(model.images), torch.arange(9), model.texts, batch=9)
    pairs = pair_curvature(model.head, model.images, model.texts, batch=9)
    for side in ("image", "text"):
        one, other = getattr(found, side), getattr(pairs, side)
        torch.testing.assert_close(one.activation, other.activation, **CLOSE)
        torch.testing.assert_close(one.embedding, other.embedding, **CLOSE)
        assert one.pairs == other.pairs == 9


@pytest.mark.parametrize("batch", [1, 3, 4, 7, 100])
def test_the_image_side_ignores_batches_and_the_text_side_averages_them(batch):
    model = small_model(images=12, dtype=torch.float32)
    head, rows = model.head, torch.arange(12)
    found = pool_factors(head, table_of(model.images), rows, model.classes, batch=batch)
    images, texts = head.embed_images(model.images), head.embed_texts(model.classes)
    scale, bias = head.logit_scale, head.logit_bias
    whole = embedding_factor(images, texts, scale, bias, head.loss)
    torch.testing.assert_close(found.image.embedding, whole, **CLOSE)
    torch.testing.assert_close(
        found.image.activation, activation_factor(model.images.activations), **CLOSE
    )
    parts = images.tensor_split(max(1, round(12 / batch)))
    sides = [embedding_factor(texts, part, scale, bias, head.loss) for part in parts]
    average = torch.stack(sides).mean(dim=0) * 12 / len(texts)
    torch.testing.assert_close(found.text.embedding, average, **CLOSE)
    torch.testing.assert_close(
        found.text.activation, activation_factor(model.classes) * 12 / len(texts), **CLOSE
    )
    assert found.text.pairs == 12


def test_repeated_prompts_change_nothing():
    model = small_model(images=12, loss="infonce", dtype=torch.float32)
    table, rows = table_of(model.images), torch.arange(12)
    once = pool_factors(model.head, table, rows, model.classes, batch=6)
    twice = pool_factors(model.head, table, rows, model.classes.repeat(2, 1), batch=6)
    for side in ("image", "text"):
        one, other = getattr(once, side), getattr(twice, side)
        torch.testing.assert_close(one.embedding, other.embedding, **CLOSE)
        torch.testing.assert_close(one.activation, other.activation, **CLOSE)


def test_a_large_pool_is_sampled_by_the_seed(monkeypatch):
    monkeypatch.setattr(module, "POOL_MOST", 20)
    model = small_model(images=50, dtype=torch.float32)
    table = table_of(model.images)

    def fitted(seed):
        return fit_from_pool(
            model.head, table, torch.arange(50), model.classes, "toy", batch=8, seed=seed
        ).posterior.image

    assert fitted(0).pairs == 20
    assert torch.equal(fitted(0).activation.values, fitted(0).activation.values)
    assert not torch.equal(fitted(0).activation.values, fitted(1).activation.values)


def test_the_provenance_states_the_approximation():
    model = small_model(images=30, dtype=torch.float32)
    found = fit_from_pool(
        model.head, table_of(model.images), torch.arange(30), model.classes, "toy", batch=8, seed=0
    )
    said = found.provenance
    assert (said["source"], said["images"], said["prompts"]) == ("pool", 30, 4)
    assert "instead of image-caption pairs" in said["approximation"]
    assert found.posterior.learning_weight == said["learning_weight"] == module.LEARNING_WEIGHT
    assert found.posterior.image.pseudo_data_weight == 1
    with pytest.raises(NothingToImport, match="1 images with usable features"):
        fit_from_pool(
            model.head,
            table_of(model.images),
            torch.tensor([0]),
            model.classes,
            "toy",
            batch=8,
            seed=0,
        )


@pytest.mark.parametrize("loss", ["infonce", "siglip"])
@pytest.mark.parametrize("scale", [1e-2, 8.0, 1e4])
@given(
    seed=st.integers(0, 1000),
    images=st.integers(2, 12),
    prompts=st.integers(2, 9),
    rank=st.integers(1, 5),
    batch=st.sampled_from([2, 5, 1024]),
)
@settings(max_examples=15, deadline=None, derandomize=True)
def test_tiny_and_low_rank_pools_give_a_posterior_to_compute_with(
    loss, scale, seed, images, prompts, rank, batch
):
    """Few or equal images, few directions, a model that knows nothing or is always certain."""
    model = small_model(loss=loss, scale=8.0, dtype=torch.float32)
    head = dataclasses.replace(model.head, logit_scale=scale)
    basis = normal(seed, rank, 7, dtype=torch.float32)
    mixed = normal(seed + 1, images, rank, dtype=torch.float32)
    for features in (Features(mixed @ basis), Features(basis[:1].repeat(images, 1))):
        texts = normal(seed + 2, prompts, 6, dtype=torch.float32)
        posterior = fit_from_pool(
            head, table_of(features), torch.arange(images), texts, "toy", batch=batch, seed=seed
        ).posterior
        for side in (posterior.image, posterior.text):
            assert side.prior_precision > 0
            assert side.activation_precisions.min() > 0
            assert side.embedding_precisions.min() > 0
        moments = logit_moments(head, posterior, features, texts)
        assert moments.variance.isfinite().all()
        assert (moments.variance >= 0).all()


def test_an_image_without_direction_is_left_out():
    model = small_model(images=9, dtype=torch.float32)
    activations = torch.cat([model.images.activations, torch.zeros(2, 7)])
    table = table_of(Features(activations))
    whole = fit_from_pool(
        model.head, table, torch.arange(11), model.classes, "toy", batch=4, seed=0
    )
    assert (whole.provenance["images"], whole.provenance["without_direction"]) == (9, 2)
    assert whole.posterior.image.pairs == 9
    wanted = activation_factor(model.images.activations)
    torch.testing.assert_close(whole.posterior.image.activation.dense(), wanted, **CLOSE)
    with pytest.raises(NothingToImport, match="1 images with usable features"):
        fit_from_pool(
            model.head, table, torch.tensor([0, 9, 10]), model.classes, "toy", batch=4, seed=0
        )


@dataclasses.dataclass(frozen=True)
class Prompter:
    """Encodes prompts, and counts them."""

    asked: list
    id: str = "toy"
    spec: str = "toy"
    head: object = None
    preprocess: object = None

    def encode_images(self, pixels):
        return Features(pixels.flatten(1))

    def encode_prompts(self, prompts, batch_size=256):
        self.asked.extend(prompts)
        return normal(len(prompts), len(prompts), 6, dtype=torch.float32)


def test_prompts_are_encoded_once(tmp_path):
    features, asked = FeatureStore(tmp_path), []
    classes = ClassList((LabelClass("ant"), LabelClass("tench")))
    own = [prompt for c in classes.classes for prompt in c.prompts]
    with pytest.raises(FeaturesMissing):
        prompts_of(features, classes, None)
    features.add_prompts(own, normal(1, len(own), 6, dtype=torch.float32))
    assert len(prompts_of(features, classes, None)) == len(own)
    found = prompts_of(features, classes, Prompter(asked))
    assert sorted(asked) == sorted(set(vocabulary_prompts()) - set(own))
    assert len(found) == len(set(own) | set(asked))
    again = prompts_of(features, classes, Prompter(asked))
    assert torch.equal(found, again)
    assert len(asked) == len(set(asked))


def test_the_vocabulary_has_no_name_twice():
    names = imagenet_names()
    assert len(names) == len(set(names)) > 900
    assert vocabulary_prompts()[0] == f"a photo of a {names[0]}."


def test_an_engine_gives_the_factors_of_one_process(tmp_path):
    """To the last bit, from shards on disk: the batches and the order of the sums are the same."""
    model = small_model(images=40, residuals=True, dtype=torch.float32)
    store = FeatureStore(tmp_path)
    with store.writer(dtype=torch.float32, budget=ShardBudget(rows=15)) as writer:
        for at in range(0, 40, 8):
            part = model.images[torch.arange(at, at + 8)]
            writer.add([Entry(f"{k:064d}", "") for k in range(at, at + 8)], part)
    table, rows = store.open_table(), torch.arange(39, 3, -1)
    told: list[int] = []
    found = pool_factors(
        model.head,
        table,
        rows,
        model.classes,
        batch=6,
        engine=LocalEngine(2),
        progress=lambda what, done, total: told.append(done),
    )
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    alone = pool_factors(model.head, table, rows, model.classes, batch=6)
    torch.set_num_threads(before)
    assert told == [6, 12, 18, 24, 30, 36]
    for side in ("image", "text"):
        one, other = getattr(found, side), getattr(alone, side)
        assert torch.equal(one.activation, other.activation)
        assert torch.equal(one.embedding, other.embedding)
        assert one.pairs == other.pairs
