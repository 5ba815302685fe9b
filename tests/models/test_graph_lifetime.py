"""What a training leaves in the process when its models are gone: no graphs."""

from __future__ import annotations

import gc

import pytest

import kd_tf as kd
from kd_tf.backend import tf
from kd_tf.compress import quantize_aware


@pytest.fixture(scope="module")
def split() -> kd.Split:
    return kd.split(kd.data.bookshop(items=60, users=80, seed=1), seed=1)


def make_student(split: kd.Split) -> kd.HistoryModel:
    return kd.models.MLPStudent(split.num_items, max_length=8, embedding_dim=4)


def fit_alone(split: kd.Split) -> None:
    student = make_student(split)
    student.compile(optimizer="adam")
    student.fit(split.train, epochs=1, verbose=0)


def fit_autoencoder(split: kd.Split) -> None:
    teacher = kd.models.VAETeacher(split.num_items, max_length=8, embedding_dim=4)
    teacher.compile(optimizer="adam")
    teacher.fit(split.train, epochs=1, verbose=0)


def fit_tied_embeddings(split: kd.Split) -> None:
    teacher = kd.models.GRUTeacher(split.num_items, max_length=8, embedding_dim=4)
    teacher.compile(optimizer="adam")
    teacher.fit(split.train, epochs=1, verbose=0)


def distill_against_a_discriminator(split: kd.Split) -> None:
    teacher = kd.models.CNNTeacher(split.num_items, max_length=8, embedding_dim=4)
    teacher.create_weights()
    distiller = kd.Distiller(teacher, make_student(split), kd.distill.AdversarialDistillation())
    distiller.compile(optimizer="adam")
    distiller.fit(split.train, epochs=1, verbose=0)


def distill_with_rounded_tables(split: kd.Split) -> None:
    student = make_student(split)
    student.create_weights()
    quantize_aware.wrap_tables_in_fake_quantization(student)
    distiller = kd.Distiller(None, student)
    distiller.compile(optimizer="adam")
    distiller.fit(split.train, epochs=1, verbose=0)


def count_graphs() -> int:
    gc.collect()
    return sum(isinstance(thing, tf.Graph) for thing in gc.get_objects())


@pytest.mark.slow
@pytest.mark.parametrize(
    "train",
    [
        fit_alone,
        fit_autoencoder,
        fit_tied_embeddings,
        distill_against_a_discriminator,
        distill_with_rounded_tables,
    ],
)
def test_a_training_leaves_no_graph_behind(split, train):
    """Each graph holds megabytes: a search over many students would fill the memory."""
    train(split)
    before = count_graphs()
    train(split)
    assert count_graphs() <= before
