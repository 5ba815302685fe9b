import pytest

from kd_tf.distill.knowledge.base import Knowledge
from kd_tf.keras import tf


def test_the_base_knows_nothing_itself():
    with pytest.raises(NotImplementedError):
        Knowledge().loss(tf.zeros([1, 2]), {})
    with pytest.raises(NotImplementedError):
        Knowledge().get_config()


def test_a_method_is_made_from_its_constructors_arguments():
    class Weighted(Knowledge):
        def __init__(self, weight: float) -> None:
            self.weight = weight

        def get_config(self):
            return {"weight": self.weight}

    again = Weighted.from_config(Weighted(0.25).get_config())
    assert type(again) is Weighted
    assert again.weight == 0.25
