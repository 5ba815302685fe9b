"""Teachers and students: Keras models that rank a catalog for a history, or predict a label.

Example:
    >>> import kd_tf as kd
    >>> student = kd.models.MLPStudent(60, max_length=20, embedding_dim=4)
    >>> student.num_items, student.quantizations
    (60, ('float32', 'float16', 'dynamic-int8', 'int8', 'int4'))
"""

from kd_tf.lazy import make_lazy_attributes

_BASE = "kd_tf.models"
_RANKING = f"{_BASE}.ranking"

__getattr__, __dir__, __all__ = make_lazy_attributes(
    __name__,
    {
        "HistoryModel": f"{_BASE}.base:HistoryModel",
        "TiedEmbeddingModel": f"{_BASE}.tied_embedding:TiedEmbeddingModel",
        "MatrixFactorization": f"{_BASE}.by_user_id.matrix_factorization:MatrixFactorization",
        "WeightedEnsemble": f"{_BASE}.weighted_ensemble:WeightedEnsemble",
        # Ranking: features in, one logit out.
        "RankingModel": f"{_RANKING}.base:RankingModel",
        "RankingEnsemble": f"{_RANKING}.teachers.ensemble:RankingEnsemble",
        "BayesianFactorizationMachineTeacher": (
            f"{_RANKING}.teachers.bayesian_factorization_machine:BayesianFactorizationMachineTeacher"
        ),
        "DCNTeacher": f"{_RANKING}.teachers.dcn:DCNTeacher",
        "DeepFMTeacher": f"{_RANKING}.teachers.deepfm:DeepFMTeacher",
        "DeepTeacher": f"{_RANKING}.teachers.deep:DeepTeacher",
        "FeatureCNNTeacher": f"{_RANKING}.teachers.cnn:FeatureCNNTeacher",
        "TextTeacher": f"{_RANKING}.teachers.text:TextTeacher",
        "TwoStreamTeacher": f"{_RANKING}.teachers.two_stream:TwoStreamTeacher",
        "FactorizationMachineStudent": (
            f"{_RANKING}.students.factorization_machine:FactorizationMachineStudent"
        ),
        "LogisticRegressionStudent": (
            f"{_RANKING}.students.logistic_regression:LogisticRegressionStudent"
        ),
        "RankingMLPStudent": f"{_RANKING}.students.mlp:RankingMLPStudent",
        # Teachers.
        "CNNTeacher": f"{_BASE}.teachers.cnn:CNNTeacher",
        "ContentTeacher": f"{_BASE}.teachers.content:ContentTeacher",
        "ContentTowerTeacher": f"{_BASE}.teachers.content_tower:ContentTowerTeacher",
        "EnsembleTeacher": f"{_BASE}.teachers.ensemble:EnsembleTeacher",
        "FriendsTeacher": f"{_BASE}.teachers.friends:FriendsTeacher",
        "GRUTeacher": f"{_BASE}.teachers.gru:GRUTeacher",
        "ImplicitALSTeacher": f"{_BASE}.teachers.ials:ImplicitALSTeacher",
        "LinearAutoencoderTeacher": f"{_BASE}.teachers.linear_autoencoder:LinearAutoencoderTeacher",
        "LocalRidgeTeacher": f"{_BASE}.teachers.local_ridge:LocalRidgeTeacher",
        "SpectralFilterTeacher": f"{_BASE}.teachers.spectral:SpectralFilterTeacher",
        "TransformerTeacher": f"{_BASE}.teachers.transformer:TransformerTeacher",
        "TwoTowerTeacher": f"{_BASE}.teachers.two_tower:TwoTowerTeacher",
        "VAETeacher": f"{_BASE}.teachers.vae:VAETeacher",
        # Students.
        "FoldInStudent": f"{_BASE}.students.fold_in:FoldInStudent",
        "ItemKernelStudent": f"{_BASE}.students.item_kernel:ItemKernelStudent",
        "LogisticStudent": f"{_BASE}.students.logistic:LogisticStudent",
        "LowRankStudent": f"{_BASE}.students.low_rank:LowRankStudent",
        "MLPStudent": f"{_BASE}.students.mlp:MLPStudent",
        "MultiInterestStudent": f"{_BASE}.students.multi_interest:MultiInterestStudent",
        "NeighboursStudent": f"{_BASE}.students.neighbours:NeighboursStudent",
        "ShallowCNNStudent": f"{_BASE}.students.shallow_cnn:ShallowCNNStudent",
        "TwoTowerStudent": f"{_BASE}.students.two_tower:TwoTowerStudent",
    },
)
