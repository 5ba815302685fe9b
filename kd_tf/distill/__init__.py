"""Knowledge distillation: the Distiller, its losses, their weighting, and warm starts.

Example:
    >>> import kd_tf as kd
    >>> loss = kd.distill.SoftTargets(temperature=2.0)
    >>> loss.get_config()["temperature"], kd.distill.METHODS["soft-targets"] is type(loss)
    (2.0, True)
"""

from kd_tf.lazy import make_lazy_attributes

_LOSSES = "kd_tf.distill.losses"
_RESPONSE = f"{_LOSSES}.response"
_RELATION = f"{_LOSSES}.relation"
_ROW = f"{_LOSSES}.row"
_WEIGHTING = "kd_tf.distill.weighting"

__getattr__, __dir__, __all__ = make_lazy_attributes(
    __name__,
    {
        "Distiller": "kd_tf.distill.distiller:Distiller",
        "METHODS": f"{_LOSSES}:METHODS",
        # Losses.
        "AdaptiveSoftTargets": f"{_RESPONSE}.adaptive_soft_targets:AdaptiveSoftTargets",
        "AdversarialDistillation": f"{_LOSSES}.feature.adversarial:AdversarialDistillation",
        "AttentionTransfer": f"{_LOSSES}.feature.attention_transfer:AttentionTransfer",
        "CollaborativeDistillation": (
            f"{_RESPONSE}.collaborative_distillation:CollaborativeDistillation"
        ),
        "DistillationBatch": f"{_LOSSES}.base:DistillationBatch",
        "DistillationExperts": f"{_LOSSES}.feature.distillation_experts:DistillationExperts",
        "DistillationLoss": f"{_LOSSES}.base:DistillationLoss",
        "DistillationSetup": f"{_LOSSES}.base:DistillationSetup",
        "DualCorrection": f"{_RESPONSE}.dual_correction:DualCorrection",
        "FullTopology": f"{_RELATION}.full_topology:FullTopology",
        "HardParameter": f"{_LOSSES}.parameter.hard_parameter:HardParameter",
        "HardPredictions": f"{_RESPONSE}.hard_predictions:HardPredictions",
        "HeterogeneousStages": f"{_RESPONSE}.heterogeneous_stages:HeterogeneousStages",
        "HierarchicalHints": f"{_LOSSES}.feature.hierarchical_hints:HierarchicalHints",
        "HierarchicalTopology": f"{_RELATION}.hierarchical_topology:HierarchicalTopology",
        "Hint": f"{_LOSSES}.feature.hint:Hint",
        "ItemSideDualCorrection": f"{_RELATION}.item_side_dual_correction:ItemSideDualCorrection",
        "ItemSideRanking": f"{_RELATION}.item_side_ranking:ItemSideRanking",
        "ItemSimilarity": f"{_RELATION}.item_similarity:ItemSimilarity",
        "LogitMatching": f"{_RESPONSE}.logit_matching:LogitMatching",
        "MutualLearning": f"{_RESPONSE}.mutual:MutualLearning",
        "RankingDistillation": f"{_RESPONSE}.ranking_distillation:RankingDistillation",
        "RejuvenatedCrossEntropy": f"{_RESPONSE}.rejuvenated_cross_entropy:RejuvenatedCrossEntropy",
        "RelationalAngles": f"{_RELATION}.relational_angles:RelationalAngles",
        "RelationalDistances": f"{_RELATION}.relational_distances:RelationalDistances",
        "RelaxedRanking": f"{_RESPONSE}.relaxed_ranking:RelaxedRanking",
        "SharedTable": f"{_LOSSES}.parameter.shared_table:SharedTable",
        "SoftParameter": f"{_LOSSES}.parameter.soft_parameter:SoftParameter",
        "SoftTargets": f"{_RESPONSE}.soft_targets:SoftTargets",
        "TopKWithTail": f"{_RESPONSE}.top_k_with_tail:TopKWithTail",
        "UnbiasedDistillation": f"{_RESPONSE}.unbiased_distillation:UnbiasedDistillation",
        # Losses on rows of features.
        "ROW_METHODS": f"{_ROW}:ROW_METHODS",
        "RowDistillationLoss": f"{_ROW}.base:RowDistillationLoss",
        "RowHint": f"{_ROW}.hint:RowHint",
        "RowLogitMatching": f"{_ROW}.logit_matching:RowLogitMatching",
        "RowMutualLearning": f"{_ROW}.mutual:RowMutualLearning",
        "RowSoftTargets": f"{_ROW}.soft_targets:RowSoftTargets",
        "TeacherCrossEntropy": f"{_ROW}.teacher_cross_entropy:TeacherCrossEntropy",
        # Weightings.
        "ConstantWeights": f"{_WEIGHTING}.fixed:ConstantWeights",
        "Curriculum": f"{_WEIGHTING}.curriculum:Curriculum",
        "GradientNorm": f"{_WEIGHTING}.gradient_norm:GradientNorm",
        "LossWeighting": f"{_WEIGHTING}.base:LossWeighting",
        "TeacherConfidence": f"{_WEIGHTING}.confidence:TeacherConfidence",
        "Uncertainty": f"{_WEIGHTING}.uncertainty:Uncertainty",
    },
)
