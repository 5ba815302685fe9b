import numpy as np
import pytest
from scipy.spatial.distance import cdist

from kd_tf.distill.losses.batch_entities import collect_entities
from kd_tf.distill.losses.relation.hierarchical_topology import HierarchicalTopology

HISTORY, TARGETS = [[1], [2], [3], [4]], [[1], [2], [3], [4]]


def cosines(one, other):
    return 1 - cdist(one, other, "cosine")


def models(vector_models):
    """Two groups of users and two of items, by the sign of the teacher's first number."""
    random = np.random.default_rng(0)
    sign = np.array([1, -1, 1, -1])[:, None] * [[1, 0, 0]]
    teacher = vector_models.factor_model(*(3 * sign + random.normal(0, 1, (2, 4, 3))))
    student = vector_models.factor_model(*random.normal(0, 1, (2, 4, 2)))
    return student, teacher


def grouped(method):
    for groups in (method.user_group_experts, method.item_group_experts):
        groups.selection_kernel.assign([[9.0, -9.0], [0, 0], [0, 0]])


@pytest.mark.parametrize("between", ["entities", "prototypes"])
def test_the_topology_is_that_between_groups_and_that_within(vector_models, between):
    student, teacher = models(vector_models)
    method = HierarchicalTopology(2, compare_prototypes_with=between, assignment_weight=1e-12)
    method.build(vector_models.make_setup(student, teacher))
    grouped(method)
    actual = method.compute_loss(
        vector_models.make_batch(student, teacher, HISTORY, TARGETS)
    ).numpy()

    members = [[0, 2], [1, 3], [4, 6], [5, 7]]
    spaces = [
        np.r_[model.user_table.numpy()[1:], model.item_table.numpy()[1:]]
        for model in (student, teacher)
    ]
    inside = [
        (cosines(spaces[0][some], spaces[0][some]) - cosines(spaces[1][some], spaces[1][some])) ** 2
        for some in members
    ]
    prototypes = [np.stack([space[some].mean(axis=0) for some in members]) for space in spaces]
    others = spaces if between == "entities" else prototypes
    outside = (cosines(prototypes[0], others[0]) - cosines(prototypes[1], others[1])) ** 2
    assert actual.mean() == pytest.approx(np.mean(inside) + outside.mean(), rel=5e-3)


def test_empty_groups_change_nothing(vector_models):
    student, teacher = models(vector_models)
    actual = []
    for groups in (2, 5):
        method = HierarchicalTopology(groups, assignment_weight=1e-12)
        method.build(vector_models.make_setup(student, teacher))
        selection = np.zeros((3, groups))
        selection[0, :2] = 9, -9
        for kind in (method.user_group_experts, method.item_group_experts):
            kind.selection_kernel.assign(selection)
            kind.selection_bias.assign([0, 0, -1e3, -1e3, -1e3][:groups])
        actual.append(
            method.compute_loss(vector_models.make_batch(student, teacher, HISTORY, TARGETS))
        )
    np.testing.assert_allclose(actual[1], actual[0], rtol=1e-5)


def test_users_and_items_never_share_a_group(vector_models):
    student, teacher = models(vector_models)
    method = HierarchicalTopology(2)
    method.build(vector_models.make_setup(student, teacher))
    batch = vector_models.make_batch(student, teacher, HISTORY, [[1], [0], [3], [0]])
    member = method.assign_groups(
        collect_entities(batch, method.teacher_item_embeddings, 4)
    ).numpy()
    assert (member[:4, 2:] == 0).all()
    assert (member[4:, :2] == 0).all()
    assert member.sum(axis=1) == pytest.approx([1, 1, 1, 1, 1, 1, 0, 0])


def test_a_copy_of_the_teacher_has_only_the_assignment_left_to_learn(vector_models):
    _, teacher = models(vector_models)
    for assignment in (1e-12, 1.0):
        actual = vector_models.loss(
            HierarchicalTopology(2, assignment_weight=assignment),
            teacher,
            teacher,
            HISTORY,
            TARGETS,
        )
        assert (actual < 1e-5).all() == (assignment < 1)


@pytest.mark.parametrize(
    "settings",
    [
        {"num_groups": 0},
        {"max_items": 0},
        {"compare_prototypes_with": "users"},
        {"assignment_weight": 0},
        {"temperature": float("nan")},
    ],
)
def test_what_is_out_of_range_is_refused(settings):
    with pytest.raises(ValueError, match=f"not .*{next(iter(settings.values()))}"):
        HierarchicalTopology(**settings)
