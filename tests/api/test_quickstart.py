"""The Python of the README, as it stands: from a table to titles."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow


def write_tables(folder: Path) -> None:
    """loans.csv and books.csv of a small bookshop, with two titles that everybody knows."""
    import kd_tf as kd

    shop = kd.data.bookshop(items=80, users=160, seed=3)
    titles = shop.catalog.frame["title"].to_list()
    titles[0], titles[1] = "The Hobbit", "Dune"
    with (folder / "books.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["book", "title", "author"])
        for item_id, title, author in zip(
            shop.catalog.item_ids, titles, shop.catalog.frame["authors"], strict=True
        ):
            writer.writerow([item_id, title, author])
    interactions = shop.interactions
    with (folder / "loans.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["reader", "book", "borrowed_at"])
        for user, item, time in zip(
            interactions.user, interactions.item, interactions.timestamp, strict=True
        ):
            writer.writerow(
                [interactions.user_ids[user], shop.catalog.item_ids[item - 1], int(time)]
            )


def test_from_a_csv_to_titles_in_fifteen_lines(tmp_path, monkeypatch):
    write_tables(tmp_path)
    monkeypatch.chdir(tmp_path)

    import kd_tf as kd

    data = kd.data.read_csv("loans.csv", user="reader", item="book", items="books.csv")
    split = kd.split(data, protocol="unseen-users", seed=42)

    teacher = kd.models.GRUTeacher(split.num_items, max_length=50, embedding_dim=16)
    teacher.compile(optimizer="adam")
    history = teacher.fit(split.train, validation_data=split.validation, epochs=2, verbose=0)
    assert len(history.history["val_ndcg@10"]) == 2

    student = kd.models.MLPStudent(split.num_items, max_length=50, embedding_dim=8)
    distiller = kd.Distiller(
        teacher,
        student,
        distillation_losses=kd.distill.SoftTargets(temperature=2.0),
        student_loss_weight=0.3,
    )
    distiller.compile(optimizer="adam")
    history = distiller.fit(split.train, validation_data=split.validation, epochs=3, verbose=0)
    assert len(history.history["val_ndcg@10"]) == 3

    assert 0 <= kd.evaluate(student, split.test)["ndcg@10"] <= 1
    kd.export(student, "bundle/", catalog=data.catalog, quantization="dynamic-int8")
    recommendations = kd.Recommender.load("bundle/").recommend(["The Hobbit", "Dune"], k=5)
    assert len(recommendations) == 5
    assert not {"The Hobbit", "Dune"} & {one.item.title for one in recommendations}
