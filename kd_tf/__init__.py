"""Distills a large recommender into a small one and exports it as a `.tflite` file.

Interactions in; a bundle for an app, its measurements and a report out. Everything here is
imported when it is first used, so that ``import kd_tf as kd`` is instant and an app that only
opens bundles needs no TensorFlow.

Example:
    >>> import kd_tf as kd
    >>> data = kd.data.bookshop(items=60, users=150, seed=1)
    >>> split = kd.split(data, protocol="unseen-users", seed=42)
    >>> split.num_items
    60
"""

from kd_tf.lazy import make_lazy_attributes

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = make_lazy_attributes(
    __name__,
    {
        # Data.
        "data": "kd_tf.data",
        "split": "kd_tf.data.prepare:split",
        "Dataset": "kd_tf.data.dataset:Dataset",
        "Catalog": "kd_tf.data.catalog:Catalog",
        "Split": "kd_tf.data.split:Split",
        "CleaningRules": "kd_tf.data.clean:CleaningRules",
        # Models and training.
        "models": "kd_tf.models",
        "HistoryModel": "kd_tf.models.base:HistoryModel",
        "callbacks": "kd_tf.callbacks",
        # The Keras that models are made of (tf_keras), whatever `tf.keras` is elsewhere.
        "keras": "kd_tf.backend:keras",
        "baselines": "kd_tf.baselines",
        # Distillation.
        "Distiller": "kd_tf.distill.distiller:Distiller",
        "DistillationLoss": "kd_tf.distill.losses.base:DistillationLoss",
        "distill": "kd_tf.distill",
        # Measuring and shipping.
        "evaluate": "kd_tf.pipeline.stages.evaluate_model:evaluate_model",
        "export": "kd_tf.pipeline.stages.export_bundle:export_bundle",
        "export_ranking": "kd_tf.pipeline.ranking.export_bundle:export_ranking_bundle",
        "Recommender": "kd_tf.runtime.recommender:Recommender",
        "Ranker": "kd_tf.runtime.ranker:Ranker",
        # Whole runs.
        "Config": "kd_tf.config:Config",
        "run": "kd_tf.pipeline.run:run",
        "RankingConfig": "kd_tf.config:RankingConfig",
        "run_ranking": "kd_tf.pipeline.ranking.run:run_ranking",
        "add_ranker": "kd_tf.pipeline.ranking.add_ranker:add_ranker",
        # Errors.
        "UserError": "kd_tf.errors:UserError",
        "ParityError": "kd_tf.errors:ParityError",
    },
)
