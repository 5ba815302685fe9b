"""Distillation losses: what is transferred from teacher to student, one method per file.

Example:
    >>> METHODS["rrd"].__name__
    'RelaxedRanking'
"""

from __future__ import annotations

from kd_tf.distill.losses.base import DistillationBatch, DistillationLoss, DistillationSetup
from kd_tf.distill.losses.feature.adversarial import AdversarialDistillation
from kd_tf.distill.losses.feature.attention_transfer import AttentionTransfer
from kd_tf.distill.losses.feature.distillation_experts import DistillationExperts
from kd_tf.distill.losses.feature.hierarchical_hints import HierarchicalHints
from kd_tf.distill.losses.feature.hint import Hint
from kd_tf.distill.losses.parameter.hard_parameter import HardParameter
from kd_tf.distill.losses.parameter.shared_table import SharedTable
from kd_tf.distill.losses.parameter.soft_parameter import SoftParameter
from kd_tf.distill.losses.relation.full_topology import FullTopology
from kd_tf.distill.losses.relation.hierarchical_topology import HierarchicalTopology
from kd_tf.distill.losses.relation.item_side_dual_correction import ItemSideDualCorrection
from kd_tf.distill.losses.relation.item_side_ranking import ItemSideRanking
from kd_tf.distill.losses.relation.item_similarity import ItemSimilarity
from kd_tf.distill.losses.relation.relational_angles import RelationalAngles
from kd_tf.distill.losses.relation.relational_distances import RelationalDistances
from kd_tf.distill.losses.response.adaptive_soft_targets import AdaptiveSoftTargets
from kd_tf.distill.losses.response.collaborative_distillation import (
    CollaborativeDistillation,
)
from kd_tf.distill.losses.response.dual_correction import DualCorrection
from kd_tf.distill.losses.response.hard_predictions import HardPredictions
from kd_tf.distill.losses.response.heterogeneous_stages import HeterogeneousStages
from kd_tf.distill.losses.response.logit_matching import LogitMatching
from kd_tf.distill.losses.response.mutual import MutualLearning
from kd_tf.distill.losses.response.ranking_distillation import RankingDistillation
from kd_tf.distill.losses.response.rejuvenated_cross_entropy import RejuvenatedCrossEntropy
from kd_tf.distill.losses.response.relaxed_ranking import RelaxedRanking
from kd_tf.distill.losses.response.soft_targets import SoftTargets
from kd_tf.distill.losses.response.top_k_with_tail import TopKWithTail
from kd_tf.distill.losses.response.unbiased_distillation import UnbiasedDistillation

METHODS: dict[str, type[DistillationLoss]] = {
    "soft-targets": SoftTargets,
    "top-k-with-tail": TopKWithTail,
    "logit-matching": LogitMatching,
    "hard-predictions": HardPredictions,
    "rd": RankingDistillation,
    "cd": CollaborativeDistillation,
    "rrd": RelaxedRanking,
    "dcd": DualCorrection,
    "unkd": UnbiasedDistillation,
    "rce-kd": RejuvenatedCrossEntropy,
    "item-side": ItemSideRanking,
    "item-similarity": ItemSimilarity,
    "hint": Hint,
    "de": DistillationExperts,
    "attention-transfer": AttentionTransfer,
    "adversarial": AdversarialDistillation,
    "relational-distances": RelationalDistances,
    "relational-angles": RelationalAngles,
    "ftd": FullTopology,
    "htd": HierarchicalTopology,
    "hard-parameter": HardParameter,
    "soft-parameter": SoftParameter,
    "hetcomp": HeterogeneousStages,
    "adaptive-temperature": AdaptiveSoftTargets,
    "dcd-item": ItemSideDualCorrection,
    "hierarchical-hints": HierarchicalHints,
    "mutual": MutualLearning,
    "shared-table": SharedTable,
}
"""The distillation losses by the names that the configuration and result tables use."""

__all__ = ["METHODS", "DistillationBatch", "DistillationLoss", "DistillationSetup"]
