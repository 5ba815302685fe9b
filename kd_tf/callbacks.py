"""Keras callbacks of this project: ranking metrics during training, and pruning.

Keras' own callbacks (EarlyStopping, ModelCheckpoint, TensorBoard, ...) work as they are.
"""

from kd_tf.compress.prune import Pruning
from kd_tf.models.callbacks import RankingMetrics

__all__ = ["Pruning", "RankingMetrics"]
