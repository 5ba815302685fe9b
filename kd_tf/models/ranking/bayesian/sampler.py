"""Samples the weights of a factorization machine from their posterior, by Gibbs sampling."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import ndtr, ndtri

from kd_tf.models.ranking.bayesian.columns import ColumnGroup, Prior

_FIRST_STDDEV = 0.1
_RESET_SWEEPS = 10
_LARGEST_LATENT = 30.0


@dataclass(frozen=True)
class Sample:
    """One draw of all weights.

    Attributes:
        bias: Global bias.
        linear: Per group float64 [columns], the linear weights.
        vectors: Per group float64 [d, columns], the vectors.
    """

    bias: float
    linear: list[np.ndarray]
    vectors: list[np.ndarray]


def sample_posterior(
    groups: Sequence[ColumnGroup],
    labels: np.ndarray,
    *,
    dim: int,
    is_binary: bool,
    seed: int,
) -> Iterator[Sample]:
    """Yields one draw of all weights after another, one per sweep, without end.

    Every group of columns has normal priors of its own, one for the linear weights and one for each
    element of the vectors, whose means and precisions are sampled too: no regularization has to be
    chosen. Labels are normal around the prediction, or (`is_binary`) 1 where a latent normal number
    around it is above 0.
    Sources: Rendle, "Factorization Machines with libFM" (ACM TIST 2012); Albert & Chib, "Bayesian
    Analysis of Binary and Polychotomous Response Data" (JASA 1993).

    Args:
        groups: The columns.
        labels: float [n]; numbers should have mean 0 and variance 1.
        dim: Length of the vectors.
        is_binary: Whether labels are 0 or 1.
        seed: Of all draws.
    """
    random = np.random.default_rng(seed)
    is_one = labels > 0.5
    latent = np.where(is_one, 1.0, -1.0) if is_binary else labels.astype(np.float64)
    bias, alpha = 0.0, 1.0
    linear = [np.zeros(group.num_columns) for group in groups]
    vectors = [random.normal(0.0, _FIRST_STDDEV, (dim, group.num_columns)) for group in groups]
    residuals = np.empty(0)
    sweep = 0
    while True:
        if sweep % _RESET_SWEEPS == 0:  # rounding errors would add up
            residuals = latent - compute_predictions(
                groups, Sample(bias, linear, vectors), len(labels)
            )
        if is_binary:
            predictions = latent - residuals
            latent = _sample_latent(predictions, is_one, random)
            residuals = latent - predictions
        else:
            alpha = random.gamma((1 + len(labels)) / 2, 2 / (1 + float(residuals @ residuals)))
        bias = _sample_bias(bias, residuals, alpha, random)
        for group, theta in zip(groups, linear, strict=True):
            prior = _sample_prior(theta, alpha, random)
            group.sample(theta, residuals, None, random.standard_normal(len(theta)), prior)
        for element in range(dim):
            sums = np.zeros(len(labels))
            for group, vector in zip(groups, vectors, strict=True):
                sums += group.sum_rows(vector[element])
            for group, vector in zip(groups, vectors, strict=True):
                prior = _sample_prior(vector[element], alpha, random)
                normals = random.standard_normal(group.num_columns)
                group.sample(vector[element], residuals, sums, normals, prior)
        sweep += 1
        yield Sample(bias, [theta.copy() for theta in linear], [v.copy() for v in vectors])


def compute_predictions(groups: Sequence[ColumnGroup], sample: Sample, num_rows: int) -> np.ndarray:
    """Computes the prediction of every row, float64 [n], from the definition."""
    predictions = np.full(num_rows, sample.bias)
    for group, theta in zip(groups, sample.linear, strict=True):
        predictions += group.sum_rows(theta)
    for element in range(len(sample.vectors[0])):
        sums, squares = np.zeros(num_rows), np.zeros(num_rows)
        for group, vector in zip(groups, sample.vectors, strict=True):
            sums += group.sum_rows(vector[element])
            squares += group.sum_squares(vector[element])
        predictions += 0.5 * (np.square(sums) - squares)
    return predictions


def _sample_prior(theta: np.ndarray, alpha: float, random: np.random.Generator) -> Prior:
    """Samples mean and precision of the prior of weights, given the weights.

    Their own priors are mean 0 with one pseudo-observation, and Gamma(1/2, 1/2).
    """
    count = len(theta)
    mean = float(theta.sum()) / (count + 1)
    scatter = float(theta @ theta) - (count + 1) * mean * mean
    precision = random.gamma((count + 1) / 2, 2 / (1 + max(scatter, 0.0)))
    return Prior(random.normal(mean, 1 / np.sqrt((count + 1) * precision)), precision, alpha)


def _sample_bias(
    bias: float, residuals: np.ndarray, alpha: float, random: np.random.Generator
) -> float:
    """Samples the global bias, whose prior is flat, and updates the residuals."""
    precision = alpha * len(residuals)
    change = float(residuals.mean()) + random.normal() / np.sqrt(precision)
    residuals -= change
    return float(bias + change)


def _sample_latent(
    predictions: np.ndarray, is_one: np.ndarray, random: np.random.Generator
) -> np.ndarray:
    """Samples the latent numbers: normal around the predictions, on the side of their labels."""
    sign = np.where(is_one, 1.0, -1.0)
    toward = np.clip(predictions * sign, -_LARGEST_LATENT, _LARGEST_LATENT)
    # A normal number t above -m has -t below m: its distribution function is uniform there.
    uniform = 1.0 - random.random(len(predictions))
    return np.asarray(sign * (toward - ndtri(uniform * ndtr(toward))))
