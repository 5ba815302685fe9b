"""report.html: the figures of results.json, on one page that fetches and runs nothing."""

from __future__ import annotations

import dataclasses
import re
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from kd_tf.errors import UserError
from kd_tf.report import html, ranking_html
from kd_tf.report.reliability_chart import draw_reliability

HOSTILE = "<script>alert('1')</script> | \"a\" & <b>\n</title></svg>"
VOID = {"meta", "link"}


class Page(HTMLParser):
    """What stands in the page: elements with their attributes, text by element, tables by id."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.text = []
        self.tables = {}
        self._open = []
        self.feed(text)
        assert not self._open

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))
        if tag == "table":
            self._rows = self.tables.setdefault(dict(attributes).get("id"), [])
        elif tag == "tr":
            self._rows.append([])
        elif tag in ("th", "td"):
            self._rows[-1].append("")
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        # Every element is closed in order: nothing in the data closed one early.
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text.append((self._open[-1] if self._open else "", data))
        if "th" in self._open or "td" in self._open:
            self._rows[-1][-1] += data

    def all_text(self):
        shown = (part for tag, part in self.text if tag != "style")
        return " ".join("".join(shown).split())

    def table(self, identifier):
        headings, *rows = self.tables[identifier]
        return headings, {row[0]: row[1:] for row in rows}


@pytest.fixture
def page(results):
    return Page(html.render(results))


def test_every_model_has_its_own_figures(results, page):
    _, rows = page.table("models-table")
    assert rows == {
        one.name: [
            *(f"{one.metrics[name]:.4f}" for name in ("ndcg@10", "recall@20", "coverage@10")),
            f"{one.bytes:,}",
            f"{one.parameters:,}",
            f"{one.train_seconds:,.1f}",
            one.role,
            one.kind,
        ]
        for one in results.models
    }


def _file(results, one):
    return f"{one.name}.tflite" + (" in the bundle" if one.name == results.chosen else "")


def test_every_file_has_its_own_figures(results, page):
    _, rows = page.table("files-table")
    assert rows == {
        _file(results, one): [
            *(f"{one.metrics[name]:.4f}" for name in ("ndcg@10", "recall@20", "coverage@10")),
            f"{one.bytes:,}",
            f"{one.floor_bytes:,}",
            f"{one.bytes / one.floor_bytes:.3f}",
            f"{one.sparsity:.1%}",
        ]
        for one in results.artifacts
    }


def test_every_file_has_its_own_times_memory_and_parity(results, page):
    _, rows = page.table("running-table")
    assert rows == {
        _file(results, one): [
            *(f"{one.latency_us[name]:.0f}" for name in ("p50", "p90", "p99", "threads")),
            f"{one.peak_memory_bytes:,}",
            f"{one.parity['top10_overlap']:.4f}",
            f"{one.parity['max_score_error']:.2g}",
            one.min_runtime_version,
        ]
        for one in results.artifacts
    }


def test_the_large_table_has_every_metric_of_everything(results, page):
    headings, rows = page.table("metrics-table")
    everything = [*results.models, *results.artifacts]
    names = [one.name for one in results.models]
    names += [f"{one.name}.tflite" for one in results.artifacts]
    assert headings == ["metric", *names]
    assert rows == {
        metric: [f"{one.metrics[metric]:.4f}" for one in everything]
        for metric in results.models[0].metrics
    }


def test_a_metric_that_only_one_model_has_is_a_dash_for_the_others(results):
    results.models[1].metrics["ndcg@50"] = 0.4321
    _, rows = Page(html.render(results)).table("metrics-table")
    assert rows["ndcg@50"] == ["–", "0.4321", *["–"] * 7]


def test_every_model_and_file_stands_beside_every_slice(hidden_results):
    headings, rows = Page(html.render(hidden_results)).table("slices-table")
    assert headings == ["model", "all", "cold-users", "hidden-items"]
    assert rows.pop("users") == ["600", "77", "432"]
    named = {model.name: model for model in hidden_results.models}
    named |= {_file(hidden_results, file): file for file in hidden_results.artifacts}
    assert rows == {
        name: [f"{result.metrics['ndcg@10'] / part:.4f}" for part in (1, 2, 3)]
        for name, result in named.items()
    }


def test_books_that_training_hid_are_in_the_first_lines(hidden_results):
    sentence = (
        "New books, which training did not see, ranked among all: NDCG@10 0.0729 (int8.tflite), "
        "0.0770 (teacher), 0.0666 (best baseline, item-knn), on 432 test users with such books."
    )
    assert sentence in Page(html.render(hidden_results)).all_text()
    data = dataclasses.replace(hidden_results.dataset, candidates="cold")
    only_hidden = dataclasses.replace(hidden_results, dataset=data)
    text = Page(html.render(only_hidden)).all_text()
    assert "New books" not in text
    assert "(unseen-users, candidates cold, seed 42)" in text
    assert "hidden-items" not in text


def test_every_table_row_has_as_many_cells_as_headings(page):
    assert len(page.tables) == 6
    for rows in page.tables.values():
        assert {len(row) for row in rows} == {len(rows[0])}


def test_the_first_lines_are_about_the_shipped_file(results):
    for one in results.artifacts:
        text = Page(html.render(dataclasses.replace(results, chosen=one.name))).all_text()
        assert (
            f"In the bundle: {one.name}.tflite, {one.bytes:,} bytes, NDCG@10 "
            f"{one.metrics['ndcg@10']:.4f} on 600 test users, "
            f"median latency {one.latency_us['p50']:.0f} µs."
        ) in text


def test_data_cleaning_notes_and_versions_stand_in_the_page(results, page):
    values = [part for tag, part in page.text if tag == "dd"]
    assert values == [
        "3,000",
        "2,000",
        "81,234",
        "2,100",
        "300",
        "600",
        "unseen-users",
        "full",
        "42",
    ]
    rows = [row for rows in page.tables.values() for row in rows]
    assert ["repeated pair (the latest is kept)", "17", "0"] in rows
    assert ["user with fewer than 5 items", "1,203", "411"] in rows
    assert ("li", "12 books were never read") in page.text
    for name, version in results.environment.items():
        assert [name, version] in rows


def test_comparisons_are_in_words_with_their_errors(page):
    text = page.all_text()
    for sentence in (
        "student-distilled is above student-alone "
        "(ndcg@10 +0.0187, paired standard error 0.0031, 600 users).",
        "student-distilled is below teacher "
        "(ndcg@10 -0.0107, paired standard error 0.0029, 600 users).",
        "student-distilled is not distinguishable from item-knn: they are less than two standard "
        "errors apart (ndcg@10 +0.0041, paired standard error 0.0033, 600 users).",
    ):
        assert sentence in text


def test_nothing_is_fetched_and_nothing_is_run(results):
    text = html.render(results)
    assert not re.search(r"https?:|//|@import|url\(|<script|<iframe|\bon[a-z]+=", text)
    page = Page(text)
    assert {tag for tag, _ in page.elements}.isdisjoint({"img", "object", "embed", "base", "use"})
    links = [one[name] for _, one in page.elements for name in ("src", "href") if name in one]
    assert links == ["data:,"]
    policies = [one["content"] for _, one in page.elements if "http-equiv" in one]
    assert policies == ["default-src 'none'; style-src 'unsafe-inline'; img-src data:"]


def test_hostile_names_are_text_and_change_no_structure(results, page):
    spoilt = dataclasses.replace(
        results,
        dataset=dataclasses.replace(
            results.dataset,
            name=HOSTILE,
            notes=[HOSTILE],
            cleaning=[{**step, "name": HOSTILE} for step in results.dataset.cleaning],
        ),
        models=[dataclasses.replace(one, kind=HOSTILE) for one in results.models],
        environment=dict.fromkeys(results.environment, HOSTILE),
    )
    rendered = Page(html.render(spoilt))
    assert rendered.elements == page.elements
    for tag in ("h1", "li"):
        assert (tag, HOSTILE) in rendered.text
    assert f"{HOSTILE}: book recommender, results" in [
        part for tag, part in rendered.text if tag == "title"
    ]


def test_empty_lists_leave_no_empty_headings(results):
    data = dataclasses.replace(results.dataset, notes=[], cleaning=[])
    bare = dataclasses.replace(results, dataset=data, comparisons=[], environment={})
    page = Page(html.render(bare))
    text = page.all_text()
    for heading in ("Notes", "Removed by cleaning", "Paired comparisons"):
        assert heading not in text
        assert heading in Page(html.render(results)).all_text()


def test_every_header_cell_says_what_it_heads(page):
    scopes = [one.get("scope") for tag, one in page.elements if tag == "th"]
    assert scopes
    assert set(scopes) == {"col", "row"}


def test_every_reference_finds_its_one_element(page):
    identifiers = [one["id"] for _, one in page.elements if "id" in one]
    assert len(identifiers) == len(set(identifiers))
    for _, one in page.elements:
        assert set(one.get("aria-labelledby", "").split()) <= set(identifiers)


def test_the_drawings_are_whole_and_tell_their_points_in_words(results):
    drawings = re.findall(r'<svg class="chart.*?</svg>', html.render(results), re.DOTALL)
    assert len(drawings) == 2
    for drawing in drawings:
        root = ElementTree.fromstring(drawing)
        assert root.find("title").text == "Quality against size"
        names = [one.text for one in root.iter("text") if one.get("class", "").startswith("name")]
        shipped = [one.text for one in root.iter("text") if one.get("class") == "name shipped"]
        everything = [*results.models, *results.artifacts]
        assert names == [one.name for one in everything]
        assert shipped == [results.chosen]
        described = " ".join(root.find("desc").text.split())
        for one in everything:
            role = getattr(one, "role", "artifact")
            figures = f"{one.metrics['ndcg@10']:.4f} at {one.bytes:,} bytes."
            assert f"{one.name} ({role}): {figures}" in described


def test_light_and_dark_name_the_same_colours(results):
    style = re.search(r"<style>(.*)</style>", html.render(results), re.DOTALL).group(1)
    light, dark = re.findall(r":root \{(.*?)\}", style, re.DOTALL)
    names = re.compile(r"(--[a-z]+):")
    assert names.findall(light) == names.findall(dark)
    assert set(re.findall(r"var\((--[a-z]+)\)", style)) <= set(names.findall(light))


def test_the_file_is_the_page_and_nothing_else_is_left(results, tmp_path):
    html.write(results, tmp_path)
    assert (tmp_path / html.FILE).read_text("utf-8") == html.render(results)
    assert [one.name for one in tmp_path.iterdir()] == [html.FILE]


def test_a_folder_that_cannot_be_written_is_named(results, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match=r"report\.html: cannot write"):
        html.write(results, tmp_path / "file")


CLICK_METRICS = ("auc", "gauc", "log_loss", "f1", "calibration_error")


@pytest.fixture
def ranking_page(ranking_results):
    return Page(ranking_html.render(ranking_results))


def test_every_model_and_file_has_its_own_figures(ranking_results, ranking_page):
    _, rows = ranking_page.table("models-table")
    assert {name: cells[:6] for name, cells in rows.items()} == {
        model.name: [*(f"{model.metrics[name]:.4f}" for name in CLICK_METRICS), f"{model.bytes:,}"]
        for model in ranking_results.models
    }
    _, rows = ranking_page.table("files-table")
    assert rows == {
        f"{file.name}.tflite" + (" in the bundle" if file.name == "int8" else ""): [
            *(f"{file.metrics[name]:.4f}" for name in CLICK_METRICS),
            f"{file.bytes:,}",
            "25.0%",
        ]
        for file in ranking_results.artifacts
    }
    _, rows = ranking_page.table("columns-table")
    assert rows["hour"] == ["categorical", "whole numbers, 24 distinct"]


def test_comparisons_of_clicks_are_in_words(ranking_page):
    text = ranking_page.all_text()
    assert (
        "auc: student-distilled is above student-alone (gain +0.0106, paired standard error 0.0031)"
    ) in text
    assert "log_loss: student-distilled is not distinguishable from teacher: they are less" in text


def test_the_plot_has_teacher_student_and_the_best_baseline(ranking_results):
    chart = draw_reliability(ranking_results, width=350, height=420)
    assert [curve.name for curve in chart.curves] == [
        "gradient-boosted-trees",
        "teacher",
        "student-distilled",
    ]


def test_points_are_where_their_probabilities_are(ranking_results):
    chart = draw_reliability(ranking_results, width=460, height=456)
    # The plot is 400 x 400 pixels from (48, 412), and .4 is its end: 1000 pixels for 1.
    (low, middle, high) = chart.curves[1].bins
    assert (low.x, low.y, low.y_low, low.y_high) == pytest.approx((98, 412, 412, 412))
    assert (middle.x, middle.y) == pytest.approx((278, 212))
    # Two standard errors: 2 * sqrt(.2 * .8 / 400) = .04, of one row more than the plot has.
    assert (middle.y_low, middle.y_high) == pytest.approx((252, 172))
    assert (high.y, high.y_low, high.y_high) == pytest.approx((12, 412, 12))
    assert [tick.label for tick in chart.x_ticks] == ["0", "0.1", "0.2", "0.3", "0.4"]


def test_ratings_have_their_own_metrics_and_no_plot(ranking_results):
    rating = {"name": "stars", "kind": "rating", "low": 1.0, "high": 5.0}
    dataset = dataclasses.replace(ranking_results.dataset, label=rating, positive_share=None)
    results = dataclasses.replace(ranking_results, dataset=dataset, reliability={})
    page = Page(ranking_html.render(results))
    headings, _ = page.table("models-table")
    assert headings[:4] == ["model", "RMSE", "MAE", "bytes"]
    assert "Calibration" not in page.all_text()


def test_hostile_names_of_columns_are_text(ranking_results):
    column = {"name": HOSTILE, "kind": HOSTILE, "reason": HOSTILE}
    label = {**ranking_results.dataset.label, "name": HOSTILE}
    dataset = dataclasses.replace(
        ranking_results.dataset, name=HOSTILE, label=label, columns=[column], notes=[HOSTILE]
    )
    page = Page(ranking_html.render(dataclasses.replace(ranking_results, dataset=dataset)))
    assert "script" not in {tag for tag, _ in page.elements}
    assert page.table("columns-table")[1].keys() == {HOSTILE}


def test_the_drawings_are_whole_and_every_reference_has_its_element(ranking_results):
    text = ranking_html.render(ranking_results)
    drawings = re.findall(r'<svg class="chart.*?</svg>', text, re.DOTALL)
    assert len(drawings) == 2
    for drawing in drawings:
        assert len(ElementTree.fromstring(drawing).findall("polyline")) == 3
    identifiers = re.findall(r'\bid="([^"]+)"', text)
    assert len(identifiers) == len(set(identifiers))
    references = {
        name for names in re.findall(r'labelledby="([^"]+)"', text) for name in names.split()
    }
    assert references <= set(identifiers)
    assert not re.search(r"https?://|<script", text)
