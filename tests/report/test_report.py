"""Reports: self-contained, escaped, the same for the same points, and they state their conditions."""

import dataclasses
import itertools
import json
import math
import re
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from alworkbench.cli.main import app
from alworkbench.cli.report import METRICS
from alworkbench.core.errors import NotPaired, SameResult
from alworkbench.report.comparing import compare
from alworkbench.report.drawings import MOST_TICKS, factor_ticks
from alworkbench.report.pictures import curve_picture, spread
from alworkbench.report.text import near_duplicate_words
from alworkbench.report.wording import METRIC_WORDS
from alworkbench.report.writing import write_report
from tests.made_results import made_points, made_result

FEW = {"random": 60.0, "epig": 25.0}
PNG = b"\x89PNG\r\n\x1a\n"


class Reader(HTMLParser):
    """Collects ids, references and open tags of a page."""

    def __init__(self):
        super().__init__()
        self.ids, self.links, self.tags, self.open = [], [], [], []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append((tag, values))
        self.ids += [values["id"]] if "id" in values else []
        self.links += [values[k] for k in ("src", "href", "xlink:href") if values.get(k)]
        if tag not in ("meta", "link", "img", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.handle_starttag(tag, attrs)
        self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def read(text):
    reader = Reader()
    reader.feed(text)
    assert not reader.open
    return reader


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    result = made_result(tmp_path_factory.mktemp("report") / "abc123", made_points(FEW, rounds=5))
    return result, write_report(result, lambda content: PNG + content[:4].encode())


def test_the_page_needs_nothing_but_itself(written):
    page = read(written[1].page.read_text())
    assert all(link.startswith(("#", "data:")) for link in page.links)
    assert not [tag for tag, _ in page.tags if tag in ("script", "iframe", "object", "embed")]
    assert len(page.ids) == len(set(page.ids))
    inside = {link[1:] for link in page.links if link.startswith("#")}
    assert inside <= set(page.ids)
    assert not re.search(r"url\((?!#)", written[1].page.read_text())


def test_the_page_begins_with_the_verdict_and_is_told_to_everyone(written):
    text = written[1].page.read_text()
    page = read(text)
    assert text.index("is better than random here") < text.index("<svg")
    drawings = [values for tag, values in page.tags if tag == "svg"]
    assert drawings
    assert all(
        values["role"] == "img" and values["aria-labelledby"] in page.ids for values in drawings
    )
    assert all(values["alt"] for tag, values in page.tags if tag == "img")
    assert len([1 for tag, _ in page.tags if tag == "img"]) == 2 * 12
    assert all("scope" in values for tag, values in page.tags if tag == "th")
    assert ("html", {"lang": "en"}) in page.tags


def test_names_of_users_are_no_markup(written):
    text = written[1].page.read_text()
    assert "toy &lt;set&gt;" in text
    assert "<set>" not in text
    assert "class &amp; 0" in text
    assert "toy \\<set>" in written[1].markdown.read_text()


def test_drawings_take_their_colours_from_the_page(written):
    text = written[1].page.read_text()
    style = text[text.index("<style>") : text.index("</style>")]
    drawn = set(re.findall(r"var\((--[\w-]+)\)", text))
    assert drawn >= {"--ink", "--faint", "--series-0", "--baseline"}
    assert all(style.count(f"{name}:") == 2 for name in drawn), "in light and in dark"


def test_the_same_points_give_the_same_bytes(tmp_path, written):
    result, files = written
    again = made_result(tmp_path / "abc123", list(result.points))
    other = write_report(again, lambda content: PNG + content[:4].encode())
    assert other.page.read_bytes() == files.page.read_bytes()
    for one, two in zip(files.pictures, other.pictures, strict=True):
        assert one.read_bytes() == two.read_bytes(), one.name


def test_json_is_for_programs(written):
    result, files = written
    content = json.loads(files.json.read_text())
    assert content["outcomes"] == {"epig": "better"}
    assert content["key"] == result.key
    (arm,) = content["findings"]["arms"]
    assert arm["area"]["corrected"] < 0.05
    assert arm["savings"][content["findings"]["chief_target"]]["factor"] > 1
    assert content["mean_over_curve"]["nlpd"]["epig"]["seeds"] == 10


def test_pictures_are_files_of_their_own(written):
    for path in written[1].pictures:
        data = path.read_bytes()
        assert data.startswith(PNG) or (b"<svg" in data and b"var(" not in data)
        assert b"<dc:date>" not in data


@pytest.mark.parametrize("seeds", [1, 2])
def test_few_seeds_one_arm_no_images_and_no_facts_are_told_as_they_are(tmp_path, seeds):
    points = made_points({"epig": 25.0}, seeds=seeds, rounds=1)
    result = made_result(tmp_path / "x", points, classes=None, card=None, role=None, encoder=None)
    text = write_report(result).page.read_text()
    assert "there is nothing to compare it with" in text
    assert "No images are shown: this data set has features only" in text
    assert "not marked" in text
    assert "nan" not in re.sub(r"<svg.*?</svg>", "", text, flags=re.DOTALL)


def test_a_transductive_or_dev_result_says_so_at_every_figure(tmp_path):
    points = made_points(FEW, seeds=2, rounds=1)
    result = made_result(tmp_path / "x", points, transductive=True, role="dev")
    files = write_report(result)
    text = files.page.read_text()
    assert "Transductive: strategies looked at the test images" in text
    assert "Dev data set: recipes were chosen on it" in text
    headings = re.findall(r"<h2>(.*?)</h2>", text)
    assert headings
    assert all("(transductive)" in heading for heading in headings)
    for drawing in re.findall(r"<svg.*?</svg>", text, flags=re.DOTALL):
        assert "transductive" in drawing
    assert "Transductive" in files.markdown.read_text()
    assert json.loads(files.json.read_text())["transductive"]


def test_names_at_the_ends_of_curves_lie_apart():
    places = spread([0.5, 0.5, 0.501, 0.9], 0.1)
    assert all(b - a >= 0.1 - 1e-9 for a, b in itertools.pairwise(places))
    assert sum(places[:3]) / 3 == pytest.approx(0.50033, abs=1e-4)
    assert places[3] == 0.9


def test_every_arm_has_an_ink_of_its_own(tmp_path):
    many = {"random": 60.0} | {f"s{i}": 30.0 + i for i in range(11)}
    result = made_result(tmp_path / "x", made_points(many, seeds=1, rounds=1))
    from alworkbench.report.pictures import inks

    drawn = [(ink.colour, str(ink.style)) for ink in inks(result).values()]
    assert len(set(drawn)) == len(many)
    assert curve_picture(result, "accuracy", "accuracy").draw().axes


# ------------------------------------------------------------------------------------------ compare


def faster(points, speed=15.0, **changed):
    return made_points({"random": 60.0, "epig": speed}, rounds=5, **changed)


def test_the_difference_of_two_versions_is_paired(tmp_path):
    one = made_result(tmp_path / "a", faster(None, 60.0), key="aaa")
    two = made_result(tmp_path / "b", faster(None, 15.0), key="bbb")
    found = compare([one, two])
    outcomes = {each.name: each.outcome for each in found.of}
    assert outcomes == {"random": "none", "epig": "better"}
    assert "epig is better in B than in A" in found.headline
    # The same draws made both versions of random: the difference is exactly none.
    assert found.of[0].area.difference.mean == pytest.approx(0, abs=0.01)
    same = compare([one, made_result(tmp_path / "c", list(one.points), key="ccc")])
    assert [each.area.p for each in same.of] == [1.0, 1.0]
    assert same.headline.startswith("No difference in accuracy can be seen")


def test_a_result_is_not_compared_with_itself(tmp_path):
    one = made_result(tmp_path / "a", faster(None), key="aaa")
    two = made_result(tmp_path / "b", faster(None, 15.5), key="bbb")
    copy = made_result(tmp_path / "copy", list(one.points), key="aaa")
    for results in ([one, one], [one, two, one], [one, copy]):
        with pytest.raises(SameResult, match="aaa was named twice"):
            compare(results)
    # Run on another machine, the same plan may give other figures: that is worth comparing.
    elsewhere = [dataclasses.replace(p, ece=1.001 * p.ece) for p in one.points]
    assert compare([one, made_result(tmp_path / "d", elsewhere, key="aaa")]).of


def test_versions_of_one_arm_are_compared_where_none_is_common(tmp_path):
    one = made_result(tmp_path / "a", faster(None), key="aaa")
    two = made_result(tmp_path / "b", faster(None, adaptation="prompts"), key="bbb")
    names = [(each.first.adaptation, each.second.adaptation) for each in compare([one, two]).of]
    assert names == [("linearised", "prompts")] * 2


@pytest.mark.parametrize(
    ("points", "facts", "told"),
    [
        ({"seeds": 3}, {}, "seeds 0, 1, 2, 3, 4, 5, 6, 7, 8, 9 against 0, 1, 2"),
        ({}, {"pool": 7}, "pool 1000 against 7"),
        ({}, {"test": 7}, "test 500 against 7"),
        ({}, {"name": "other"}, "name toy <set> against other"),
        ({}, {"fingerprint": "y"}, "data x against y"),
        ({}, {"transductive": True}, "one is transductive"),
    ],
)
def test_what_is_not_paired_is_refused(tmp_path, points, facts, told):
    one = made_result(tmp_path / "a", faster(None), key="aaa", fingerprint="x")
    facts = {"fingerprint": "x", **facts}
    two = made_result(tmp_path / "b", faster(None, **points), key="bbb", **facts)
    with pytest.raises(NotPaired, match=re.escape(told)):
        compare([one, two])


def test_without_a_fingerprint_the_untaught_model_tells_the_test_images_apart(tmp_path):
    one = made_result(tmp_path / "a", faster(None), key="aaa")
    points = [dataclasses.replace(p, nlpd=p.nlpd + 0.1) for p in faster(None)]
    with pytest.raises(NotPaired, match="test images differ"):
        compare([one, made_result(tmp_path / "b", points, key="bbb")])


def test_results_without_a_common_strategy_are_refused(tmp_path):
    one = made_result(tmp_path / "a", made_points({"random": 9.0}, seeds=2, rounds=1), key="a")
    two = made_result(tmp_path / "b", made_points({"epig": 9.0}, seeds=2, rounds=1), key="b")
    with pytest.raises(NotPaired, match="no strategy is in both"):
        compare([one, two])


# ------------------------------------------------------------------------------------- command line


@pytest.fixture
def out(tmp_path):
    made_result(tmp_path / "aaa", faster(None, 60.0, classes=3), key="aaa")
    made_result(tmp_path / "bbb", faster(None, 15.0, classes=3), key="bbb")
    return tmp_path


def run(*arguments):
    return CliRunner().invoke(app, [str(a) for a in arguments])


def test_report_writes_and_says_the_verdict(out):
    done = run("report", "bb", "--out", out)
    assert done.exit_code == 0, done.output
    shown = " ".join(done.output.split())
    assert "epig is better than random here" in shown
    assert "saved against random with the same learner" in shown
    names = {path.name for path in (out / "bbb").iterdir()}
    assert names >= {"report.html", "report.md", "report.json", "pictures"}
    done = run("report", out / "aaa", "--metric", "nlpd", "--target", "0.9", "--json")
    assert json.loads(done.output)["findings"]["metric"] == "nlpd"


def test_compare_writes_and_says_what_changed(out):
    done = run("compare", "aaa", "bbb", "--out", out, "--to", out / "here")
    assert done.exit_code == 0, done.output
    shown = " ".join(done.output.split())
    assert "epig is better in B than in A" in shown
    assert shown.count("[95 %]") == 4
    assert "Intervals are 95 % t-intervals over seeds" in shown
    kinds = sorted(path.name for path in (out / "here").iterdir())
    assert kinds == ["compare-aaa-bbb.html", "compare-aaa-bbb.json", "compare-aaa-bbb.md"]
    read((out / "here/compare-aaa-bbb.html").read_text())
    shown = json.loads(run("compare", "aaa", "bbb", "--out", out, "--json").output)
    assert shown == json.loads((out / "here/compare-aaa-bbb.json").read_text())


def test_near_duplicates_are_told_with_their_rule():
    told = {
        "3 whose nearest image of the pool stands out": {"near_duplicate_ratio": 0.5},
        "3, at a cosine of 0.999; most copies lie below": {"near_duplicate_cosine": 0.999},
        "3": {},
    }
    for words, rule in told.items():
        assert near_duplicate_words({"near_duplicates": 3, **rule}).startswith(words)
    assert near_duplicate_words({}) == "not known"


def test_what_is_asked_wrongly_is_told(out):
    assert run("compare", "aaa", "--out", out).exit_code == 2
    assert run("report", "aaa", "--out", out, "--metric", "beauty").exit_code == 2
    percent = run("report", "aaa", "--out", out, "--target", "90")
    assert percent.exit_code == 2
    assert "Did you mean 0.9?" in " ".join(percent.output.replace("│", " ").split())
    assert "there is no such folder" in str(run("report", "zzz", "--out", out).exception)
    assert set(METRICS) == set(METRIC_WORDS)


@pytest.mark.parametrize("left", [0.02, 0.3, 0.74])
@pytest.mark.parametrize("right", [1.7, 5.0, 40.0, 1e4, 1e9])
def test_the_ticks_of_saving_factors_hold_1_and_do_not_overlap(left, right):
    ticks = factor_ticks(left, right)
    assert 1 in ticks
    assert 2 <= len(ticks) <= MOST_TICKS + 1
    assert ticks == sorted(ticks)
    assert left <= ticks[0] <= ticks[-1] <= right
    width = math.log(right / left)
    assert min(math.log(b / a) for a, b in itertools.pairwise(ticks)) > width / 40
