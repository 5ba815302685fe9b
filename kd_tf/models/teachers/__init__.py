"""Large models that students learn from, listed by their names in the configuration."""

from __future__ import annotations

from kd_tf.models.base import HistoryModel
from kd_tf.models.closed_form.fit import ClosedFormFit
from kd_tf.models.teachers.cnn import CNNTeacher
from kd_tf.models.teachers.content import ContentTeacher
from kd_tf.models.teachers.content_tower import ContentTowerTeacher
from kd_tf.models.teachers.ensemble import EnsembleTeacher
from kd_tf.models.teachers.friends import FriendsTeacher
from kd_tf.models.teachers.gru import GRUTeacher
from kd_tf.models.teachers.ials import ImplicitALSTeacher
from kd_tf.models.teachers.linear_autoencoder import LinearAutoencoderTeacher
from kd_tf.models.teachers.local_ridge import LocalRidgeTeacher
from kd_tf.models.teachers.spectral import SpectralFilterTeacher
from kd_tf.models.teachers.transformer import TransformerTeacher
from kd_tf.models.teachers.two_tower import TwoTowerTeacher
from kd_tf.models.teachers.vae import VAETeacher
from kd_tf.models.tied_embedding import TiedEmbeddingModel

TRAINED_TEACHERS: dict[str, type[TiedEmbeddingModel]] = {
    "gru": GRUTeacher,
    "cnn": CNNTeacher,
    "transformer": TransformerTeacher,
    "vae": VAETeacher,
    "two-tower": TwoTowerTeacher,
}
"""Teachers that are trained by gradient descent."""

CLOSED_FORM_TEACHERS: dict[
    str,
    type[ClosedFormFit],
] = {
    "local-ridge": LocalRidgeTeacher,
    "linear-autoencoder": LinearAutoencoderTeacher,
    "ials": ImplicitALSTeacher,
    "spectral": SpectralFilterTeacher,
    "content": ContentTeacher,
    "content-tower": ContentTowerTeacher,
    "friends": FriendsTeacher,
}
"""Teachers that `fit` makes in one go, without settings of training."""

TEACHERS: dict[str, type[HistoryModel]] = {
    **TRAINED_TEACHERS,
    **CLOSED_FORM_TEACHERS,
    "ensemble": EnsembleTeacher,
}
"""All teachers that a configuration can name."""
