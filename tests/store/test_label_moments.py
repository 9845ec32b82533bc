"""A moment of the answers can be read later, and says which images were touched since."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from alworkbench.core.domain import LabelMoment, Role, act_events
from alworkbench.core.ports import Store
from store import memory_store
from tests.store.making import CLASSES, NOW, SETTINGS, answer, import_pictures

IMAGES = range(1, 7)
STEPS = st.lists(
    st.tuples(st.sampled_from(IMAGES), st.sampled_from(("ann", "bob")), st.booleans()), max_size=10
)
"""(image, person, whether the newest label of the person is taken back instead)."""


@settings(max_examples=12)
@given(STEPS)
def test_an_earlier_moment_reads_as_it_was(steps: list[tuple[int, str, bool]]) -> None:
    store = memory_store(SETTINGS, CLASSES, NOW)
    import_pictures(store, len(IMAGES))
    seen = []
    for number, (image, person, back) in enumerate(steps):
        with store.read() as reader:
            seen.append((reader.labels.moment(), reader.labels.opinions(Role.POOL), image))
            own = [each for each in reader.labels.all() if each.annotator == person]
        with store.write() as writer:
            if back and own:
                writer.labels.retract(own[-1].id, f"u{number}", person, NOW)
            else:
                writer.labels.add(answer(f"e{number}", image, person), NOW)
    with store.read() as reader:
        assert reader.labels.opinions_of(IMAGES) == reader.labels.opinions(Role.POOL)
        assert reader.labels.touched(reader.labels.moment()) == set()
        for moment, opinions, _ in seen:
            assert reader.labels.opinions_of(IMAGES, moment) == opinions
            now = reader.labels.opinions(Role.POOL)
            changed = {i for i in IMAGES if now.get(i) != opinions.get(i)}
            assert changed <= reader.labels.touched(moment)
    store.close()


def test_an_act_has_its_own_labels_alone(store: Store) -> None:
    act, other = "a_b", "aXb"  # an underscore stands for itself
    with store.write() as writer:
        given = [answer(f"{act_events(act)}{n}", n) for n in (1, 2)]
        given += [answer(f"{act_events(other)}1", 1), answer("e", 3)]
        writer.labels.add_many(given, NOW)
        assert [each.image_id for each in writer.labels.of_act(act)] == [1, 2]
        assert writer.labels.of_act("a") == []


def test_a_moment_of_an_empty_project_is_zero(store: Store) -> None:
    with store.read() as reader:
        assert reader.labels.moment() == LabelMoment()
        assert reader.labels.touched(LabelMoment()) == set()
        assert reader.images.mark() == (6, 0)


def test_some_images_come_in_the_order_in_which_they_are_asked_for(store: Store) -> None:
    with store.read() as reader:
        assert reader.images.some([5, 2, 5]) == [reader.images.get(n) for n in (5, 2, 5)]
