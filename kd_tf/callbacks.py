"""Keras callbacks of this project: ranking metrics during training, and pruning.

Keras' own callbacks (EarlyStopping, ModelCheckpoint, TensorBoard, ...) work as they are.

Example:
    >>> import kd_tf as kd
    >>> pruning = kd.callbacks.Pruning(sparsity=0.5)
    >>> pruning.sparsity
    0.5
"""

from kd_tf.compress.prune import Pruning
from kd_tf.models.callbacks import RankingMetrics

__all__ = ["Pruning", "RankingMetrics"]
