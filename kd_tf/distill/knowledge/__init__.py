"""What is transferred: one method a file, by the name that settings and tables use."""

from __future__ import annotations

from kd_tf.distill.knowledge.adaptive_soft_targets import AdaptiveSoftTargets
from kd_tf.distill.knowledge.adversarial import AdversarialDistillation
from kd_tf.distill.knowledge.attention_transfer import AttentionTransfer
from kd_tf.distill.knowledge.base import DistillationLoss, DistillationSetup, DistillationBatch
from kd_tf.distill.knowledge.collaborative_distillation import CollaborativeDistillation
from kd_tf.distill.knowledge.distillation_experts import DistillationExperts
from kd_tf.distill.knowledge.dual_correction import DualCorrection
from kd_tf.distill.knowledge.full_topology import FullTopology
from kd_tf.distill.knowledge.hard_parameter import HardParameter
from kd_tf.distill.knowledge.hard_predictions import HardPredictions
from kd_tf.distill.knowledge.heterogeneous_stages import HeterogeneousStages
from kd_tf.distill.knowledge.hierarchical_hints import HierarchicalHints
from kd_tf.distill.knowledge.hierarchical_topology import HierarchicalTopology
from kd_tf.distill.knowledge.hint import Hint
from kd_tf.distill.knowledge.item_rows import ItemSimilarity
from kd_tf.distill.knowledge.item_side_dual_correction import ItemSideDualCorrection
from kd_tf.distill.knowledge.item_side_ranking import ItemSideRanking
from kd_tf.distill.knowledge.logit_matching import LogitMatching
from kd_tf.distill.knowledge.mutual import MutualLearning
from kd_tf.distill.knowledge.ranking_distillation import RankingDistillation
from kd_tf.distill.knowledge.rejuvenated_cross_entropy import RejuvenatedCrossEntropy
from kd_tf.distill.knowledge.relational_angles import RelationalAngles
from kd_tf.distill.knowledge.relational_distances import RelationalDistances
from kd_tf.distill.knowledge.relaxed_ranking import RelaxedRanking
from kd_tf.distill.knowledge.shared_table import SharedTable
from kd_tf.distill.knowledge.soft_parameter import SoftParameter
from kd_tf.distill.knowledge.soft_targets import SoftTargets
from kd_tf.distill.knowledge.top_k_with_tail import TopKWithTail
from kd_tf.distill.knowledge.unbiased import UnbiasedDistillation

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
    "item-rows": ItemSimilarity,
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

__all__ = ["METHODS", "DistillationLoss", "DistillationSetup", "DistillationBatch"]
