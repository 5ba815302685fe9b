"""The inner loops of the Gibbs sampler, compiled.

For one weight θ of a factorization machine, with all others fixed, the prediction of row n is
linear: ``g_n + θ h_n``. With a normal prior its posterior is normal too, and needs the sums of
``h_n^2`` and of ``h_n e_n``, where ``e_n`` is the residual. For a linear weight ``h_n = x_n``, for
an element of a vector ``h_n = x_n (q_n - x_n θ)``, where ``q_n`` sums this element over the row.
Source: Rendle, "Factorization Machines with libFM" (ACM TIST 2012), section 3.3.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True, nogil=True)
def sample_columns(
    begin: int,
    end: int,
    starts: np.ndarray,
    rows: np.ndarray,
    x: np.ndarray,
    theta: np.ndarray,
    residuals: np.ndarray,
    sums: np.ndarray,
    normals: np.ndarray,
    alpha: float,
    mean: float,
    precision: float,
    is_linear: bool,
) -> None:
    """Samples one element of the columns `begin` to `end` and updates the rows that have them.

    Args:
        begin: First column.
        end: Behind the last column.
        starts: int64 [columns + 1], where the rows of each column begin in `rows`.
        rows: int32 [entries], the rows of the columns, one column after the other.
        x: float64 [entries], the values; empty if all are 1.
        theta: float64 [columns], the weights, which are replaced.
        residuals: float64 [n], label minus prediction.
        sums: float64 [n], the element summed over each row; not used for linear weights.
        normals: float64 [columns], draws from the standard normal distribution.
        alpha: Precision of the labels.
        mean: Mean of the prior.
        precision: Precision of the prior.
        is_linear: Whether the weights are linear ones.
    """
    has_x = len(x) > 0
    for column in range(begin, end):
        old = theta[column]
        squares, products = 0.0, 0.0
        for place in range(starts[column], starts[column + 1]):
            row = rows[place]
            value = x[place] if has_x else 1.0
            slope = value if is_linear else value * (sums[row] - value * old)
            squares += slope * slope
            products += slope * residuals[row]
        total = precision + alpha * squares
        new = (precision * mean + alpha * (products + squares * old)) / total
        new += normals[column] / np.sqrt(total)
        theta[column] = new
        change = new - old
        for place in range(starts[column], starts[column + 1]):
            row = rows[place]
            value = x[place] if has_x else 1.0
            if is_linear:
                residuals[row] -= change * value
            else:
                residuals[row] -= change * value * (sums[row] - value * old)
                sums[row] += change * value


@njit(cache=True, nogil=True)
def sample_set_columns(
    starts: np.ndarray,
    owners: np.ndarray,
    shares: np.ndarray,
    owner_of_row: np.ndarray,
    theta: np.ndarray,
    residuals: np.ndarray,
    sums: np.ndarray,
    normals: np.ndarray,
    alpha: float,
    mean: float,
    precision: float,
    is_linear: bool,
) -> None:
    """Samples one element of the columns of sets that many rows share, such as a user's items.

    All rows of an owner have the same set. So a column needs only the sums over the rows of each of
    its owners, and a sweep costs the entries of the sets, not those of the rows.
    Source: Rendle, "Scaling Factorization Machines to Relational Data" (VLDB 2013).

    Args:
        starts: int64 [columns + 1], where the owners of each column begin in `owners`.
        owners: int32 [entries], the owners that have each column.
        shares: float64 [owners], the value of every column of an owner's set.
        owner_of_row: int32 [n].
        theta: As for `sample_columns`, like all others.
        residuals: float64 [n].
        sums: float64 [n].
        normals: float64 [columns].
        alpha: Precision of the labels.
        mean: Mean of the prior.
        precision: Precision of the prior.
        is_linear: Whether the weights are linear ones.
    """
    num_owners = len(shares)
    count = np.zeros(num_owners)
    residual_sum = np.zeros(num_owners)
    q_sum, q_squares, residual_q = (
        np.zeros(num_owners),
        np.zeros(num_owners),
        np.zeros(num_owners),
    )
    for row in range(len(owner_of_row)):
        owner = owner_of_row[row]
        count[owner] += 1.0
        residual_sum[owner] += residuals[row]
        if not is_linear:
            q_sum[owner] += sums[row]
            q_squares[owner] += sums[row] * sums[row]
            residual_q[owner] += residuals[row] * sums[row]
    # What a row's residual loses: offset + slope * its first q; and what its q gains.
    offset, slope_sum, gain = np.zeros(num_owners), np.zeros(num_owners), np.zeros(num_owners)
    for column in range(len(theta)):
        old = theta[column]
        squares, products = 0.0, 0.0
        for place in range(starts[column], starts[column + 1]):
            owner = owners[place]
            x = shares[owner]
            if is_linear:
                squares += x * x * count[owner]
                products += x * residual_sum[owner]
            else:
                part = x * old
                squares += (
                    x
                    * x
                    * (q_squares[owner] - 2 * part * q_sum[owner] + part * part * count[owner])
                )
                products += x * (residual_q[owner] - part * residual_sum[owner])
        total = precision + alpha * squares
        new = (precision * mean + alpha * (products + squares * old)) / total
        new += normals[column] / np.sqrt(total)
        theta[column] = new
        change = new - old
        for place in range(starts[column], starts[column + 1]):
            owner = owners[place]
            x = shares[owner]
            step = change * x
            if is_linear:
                residual_sum[owner] -= step * count[owner]
                offset[owner] += step
                continue
            part = x * old
            h_sum = q_sum[owner] - part * count[owner]
            h_q = q_squares[owner] - part * q_sum[owner]
            residual_q[owner] += step * residual_sum[owner] - step * h_q - step * step * h_sum
            residual_sum[owner] -= step * h_sum
            offset[owner] += step * (gain[owner] - part)
            slope_sum[owner] += step
            q_squares[owner] += 2 * step * q_sum[owner] + step * step * count[owner]
            q_sum[owner] += step * count[owner]
            gain[owner] += step
    for row in range(len(owner_of_row)):
        owner = owner_of_row[row]
        if is_linear:
            residuals[row] -= offset[owner]
        else:
            residuals[row] -= offset[owner] + slope_sum[owner] * sums[row]
            sums[row] += gain[owner]
