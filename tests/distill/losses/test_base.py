import pytest

from kd_tf.distill.losses.base import DistillationLoss


def test_the_base_knows_nothing_itself():
    with pytest.raises(NotImplementedError):
        DistillationLoss().compute_loss(None)


def test_a_method_is_made_from_its_constructors_arguments():
    class Weighted(DistillationLoss):
        def __init__(self, weight: float, **kwargs) -> None:
            super().__init__(**kwargs)
            self.weight = weight

        def get_config(self):
            return {**super().get_config(), "weight": self.weight}

    again = Weighted.from_config(Weighted(0.25, name="mine").get_config())
    assert type(again) is Weighted
    assert (again.weight, again.name) == (0.25, "mine")
