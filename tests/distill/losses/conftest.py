"""Models of a few vectors and batches of them, for losses that compare embeddings."""

import numpy as np
import pytest

from kd_tf import rng
from kd_tf.backend import tf
from kd_tf.distill.losses.base import DistillationBatch, DistillationSetup
from kd_tf.losses.masked_logits import MaskedLogits
from kd_tf.models.by_user_id.matrix_factorization import MatrixFactorization
from kd_tf.models.students.mlp import MLPStudent

V, L, B, M = 30, 5, 6, 3


class VectorModels:
    """Students and teachers, lessons and steps between them."""

    def factor_model(self, users, items, read=None) -> MatrixFactorization:
        """A model of exactly these vectors, [R, d] and [V, d]; rows of padding hold rubbish."""
        users, items = np.asarray(users, np.float32), np.asarray(items, np.float32)
        read = np.zeros((len(users), 1), np.int32) if read is None else np.asarray(read)
        model = MatrixFactorization(
            num_items=len(items),
            num_users=len(users),
            max_seen_items=read.shape[1],
            embedding_dim=items.shape[1],
        )
        model.create_weights()
        model.user_table.assign(np.pad(users, [(1, 0), (0, 0)], constant_values=7.0))
        model.item_table.assign(np.pad(items, [(1, 0), (0, 0)], constant_values=-5.0))
        model.seen_items_table.assign(np.pad(read, [(1, 0), (0, 0)]))
        return model

    def random_model(self, embedding_dim: int, seed: int, users: int = 4) -> MatrixFactorization:
        """Random vectors of V items and some users."""
        random = np.random.default_rng(seed)
        return self.factor_model(
            random.normal(0, 1, (users, embedding_dim)), random.normal(0, 1, (V, embedding_dim))
        )

    def mlp(self, embedding_dim: int, seed: int, **settings) -> MLPStudent:
        rng.set_seed(seed)
        settings = {"item_dropout": 0.0, "hidden": 6, **settings}
        model = MLPStudent(num_items=V, max_length=L, embedding_dim=embedding_dim, **settings)
        model.create_weights()
        return model

    def make_setup(self, student, teacher, steps: int = 60) -> DistillationSetup:
        popularity = np.ones(teacher.num_items + 1, np.int64)
        return DistillationSetup(student, [teacher], popularity, steps, seed=0)

    def make_arrays(self, teacher, history=None, targets=None):
        """Histories and labels; by default B users of V items, one of whom read nothing."""
        random = np.random.default_rng(0)
        if history is None:
            history = np.stack([random.permutation(V)[:L] + 1 for _ in range(B)]).astype(np.int32)
            history[0] = 0
            history[1, 3:] = 0
        if targets is None:
            targets = np.stack([random.permutation(V)[:M] + 1 for _ in range(B)]).astype(np.int32)
            targets[2, 1:] = 0
        history = np.asarray(history, np.int32)
        return history, {
            "targets": np.asarray(targets, np.int32),
            "teacher_ids": np.zeros((len(history), 2), np.int32),
            "teacher_logits": np.zeros((len(history), 2), np.float32),
            "teacher_user_embeddings": teacher.user_embeddings(tf.constant(history))
            .numpy()
            .astype("float16"),
        }

    def make_batch(
        self, student, teacher, history=None, targets=None, **settings
    ) -> DistillationBatch:
        """A batch as the Distiller would hand it on, outside training by default."""
        history, labels = self.make_arrays(teacher, history, targets)
        return DistillationBatch(
            inputs=tf.constant(history),
            outputs=MaskedLogits.from_masked_logits(student(tf.constant(history))),
            labels={name: tf.constant(one) for name, one in labels.items()},
            student=student,
            **{"layer_outputs": {}, "training": False, "progress": tf.zeros([]), **settings},
        )

    def loss(self, method, student, teacher, history=None, targets=None, **settings) -> np.ndarray:
        """What a method says between two models, prepared for them: float32 [B]."""
        method.build(self.make_setup(student, teacher))
        actual = method.compute_loss(
            self.make_batch(student, teacher, history, targets, **settings)
        )
        assert actual.dtype == tf.float32
        return actual.numpy()


@pytest.fixture(scope="session")
def vector_models() -> VectorModels:
    return VectorModels()
