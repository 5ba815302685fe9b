"""The model card says what results.json says, and shows hostile names as they are."""

from __future__ import annotations

import dataclasses
import html
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from kd_tf.report import model_card
from kd_tf.runtime.bundle import CONTRACT_VERSION

HOSTILE = "<script>alert(1)</script> | a\n\n# *b* [c](javascript:d) `e` ~~f~~ &lt; \\"


def as_html(markdown):
    return MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(markdown)


def shown(markdown):
    """What a person reads, as one line."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", "", as_html(markdown))).split())


def figures(markdown):
    """The rows of the figures table: name -> cells, under the key '' the headings."""
    rows = re.findall(r"<tr>(.*?)</tr>", as_html(markdown), re.DOTALL)
    cells = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in rows]
    return {re.sub(r"<[^>]*>", "", row[0]): row[1:] for row in cells}


def test_every_figure_of_the_table_is_the_one_of_the_results(results):
    rows = figures(model_card.render(results))
    headings = [*model_card.METRICS, "bytes"]
    assert [one.lower() for one in rows.pop("")] == headings
    expected = {
        model.name if model.kind == model.name else f"{model.name} ({model.kind})": model
        for model in results.models
    }
    expected["model.tflite (this file)"] = results.shipped_artifact
    assert rows == {
        name: [*(f"{one.metrics[metric]:.4f}" for metric in model_card.METRICS), f"{one.bytes:,}"]
        for name, one in expected.items()
    }


def test_the_shipped_file_comes_first_then_students_teacher_and_baselines(results):
    assert list(figures(model_card.render(results)))[1:] == [
        "model.tflite (this file)", "student-distilled (mlp)", "student-alone (mlp)",
        "teacher (cnn)", "item-knn", "popularity",
    ]  # fmt: skip


@pytest.mark.parametrize("name", ["float32", "float16", "dynamic-int8", "int8"])
def test_size_and_parity_are_those_of_the_shipped_file_and_nothing_measured_is_told(results, name):
    results = dataclasses.replace(results, chosen=name)
    one, text = results.shipped_artifact, shown(model_card.render(results))
    assert f"({name}, {one.bytes:,} bytes, signatures recommend, similar)" in text
    assert f"over {one.parity['histories']} histories: {one.parity['top10_overlap']:.4f} of" in text
    assert f"scores differ by at most {one.parity['max_score_error']:.2g}." in text
    # Times and memory differ from run to run, and the card is part of the bundle and its hash.
    for measured in (f"{one.latency_us['p50']:.0f} µs", f"{one.peak_memory_bytes:,}", "x86_64"):
        assert measured not in text
    assert f"alone need {one.floor_bytes:,} bytes" in text
    assert f"is {one.bytes / one.floor_bytes:.3f} times as large" in text
    assert f"{one.sparsity:.1%} of the weights in its dense core are zero" in text


def test_data_protocol_and_seed_are_named(results):
    text = shown(model_card.render(results))
    for part in (
        "Name: synthetic",
        "Users: 3,000; books: 2,000; interactions: 81,234",
        "Split: 2,100 training users, 300 validation users (early stopping and model selection), "
        "600 test users",
        "Protocol: unseen-users: the test users are not in the training data",
        "Seed: 42",
        "user with fewer than 5 items: 1,203 interactions and 411 users removed",
        "Note: 12 books were never read",
        f"Contract: {CONTRACT_VERSION}",
        "Minimum TensorFlow Lite runtime: 2.3.0",
        "kd_tf: 0.1.0",
    ):
        assert part in text


def test_what_is_not_distinguishable_is_said_to_be(results):
    text = shown(model_card.render(results))
    assert "student-distilled is above student-alone: ndcg@10 +0.0187" in text
    assert "student-distilled is below teacher: ndcg@10 -0.0107" in text
    assert (
        "student-distilled is not distinguishable from item-knn (less than two standard errors): "
        "ndcg@10 +0.0041, paired standard error 0.0033, 600 users"
    ) in text


def test_a_core_that_was_not_pruned_is_not_said_to_be(results):
    artifacts = [dataclasses.replace(one, sparsity=0.0) for one in results.artifacts]
    text = shown(model_card.render(dataclasses.replace(results, artifacts=artifacts)))
    assert "its dense core was not pruned" in text
    assert "are zero" not in text


def test_hostile_names_are_shown_as_they_are_and_change_no_structure(results):
    plain = as_html(model_card.render(results))
    data = dataclasses.replace(
        results.dataset,
        name=HOSTILE,
        notes=[HOSTILE],
        cleaning=[{**step, "name": HOSTILE} for step in results.dataset.cleaning],
    )
    models = [dataclasses.replace(one, kind=HOSTILE) for one in results.models]
    spoilt = dataclasses.replace(
        results, dataset=data, models=models, environment={"machine": HOSTILE, HOSTILE: "1"}
    )
    rendered = as_html(model_card.render(spoilt))

    def tags(text):
        return re.findall(r"</?[a-z]+[0-9]?", text)

    # One version fewer (two list entries for three) is all that differs.
    without_last = tags(plain)
    del without_last[-3:-1]
    assert tags(rendered) == without_last
    assert f"<h1>Book recommender: {html.escape(' '.join(HOSTILE.split()))}</h1>" in rendered


@given(st.text())
def test_escaped_text_reads_as_the_text_on_one_line(text):
    line = model_card.escape(text)
    # No renderer, however lenient, may see a tag.
    assert not set("\n<>") & set(line)
    # A word in front, as everywhere in the card: what begins a line could begin a list.
    # Markdown itself turns NUL into the replacement character.
    expected = " ".join(f"x {text}".split()).replace("\0", "\ufffd")
    rendered = MarkdownIt("commonmark").enable(["table", "strikethrough"]).render(f"x {line}")
    assert html.unescape(rendered.removeprefix("<p>").removesuffix("</p>\n")) == html.unescape(
        html.escape(expected)
    )


@given(st.text())
def test_escaped_text_stays_in_its_cell(text):
    card = f"| a | b |\n|---|---|\n| x{model_card.escape(text)} | y |"
    rendered = MarkdownIt("commonmark").enable("table").render(card)
    assert rendered.count("<td>") == 2
    assert "<td>y</td>" in rendered


def test_empty_notes_comparisons_and_environment_leave_no_holes(results):
    data = dataclasses.replace(results.dataset, notes=[], cleaning=[], protocol="next-book")
    bare = dataclasses.replace(results, dataset=data, comparisons=[], environment={})
    card = model_card.render(bare)
    assert "Note:" not in card
    assert "Cleaning" not in card
    assert "- Protocol: `next-book`\n" in card
    assert "\n\n\n" not in card
    assert card.endswith("2.3.0\n")


def test_books_that_training_hid_have_their_own_figures(hidden_results):
    text = shown(model_card.render(hidden_results))
    assert "New books, which training did not see, ranked among all: NDCG@10 0.0729" in text
    data = dataclasses.replace(hidden_results.dataset, candidates="cold", protocol="cold-items")
    text = shown(model_card.render(dataclasses.replace(hidden_results, dataset=data)))
    assert "New books" not in text
    assert "some books are hidden from it as if nobody had read them" in text
    assert "Ranked candidates: cold" in text
