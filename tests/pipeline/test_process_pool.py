"""Tasks in several processes at once."""

from __future__ import annotations

import functools
import operator
import os

import pytest

from kd_tf.pipeline.process_pool import ProcessPool


@pytest.mark.parametrize("most", [1, 2])
def test_everything_is_done_once_and_comes_in_order(most: int):
    tasks = [3, 1, 2, 5, 4]
    found = ProcessPool(most).map(operator.mul, tasks, 10, int, ("10",))
    assert list(found) == [30, 10, 20, 50, 40]


def test_a_failure_comes_out_and_ends_the_rest():
    found = ProcessPool(2).map(operator.floordiv, [2, 0, 1], 10, int, (10,))
    assert next(found) == 5
    with pytest.raises(ZeroDivisionError):
        next(found)


def test_memory_says_how_many_fit_and_one_always_does():
    assert ProcessPool(8, max_memory_bytes=100).limit_workers(30) == 3
    assert ProcessPool(2, max_memory_bytes=100).limit_workers(30) == 2
    assert ProcessPool(8, max_memory_bytes=100).limit_workers(1000) == 1
    assert ProcessPool(8).limit_workers(1000) == 8


def test_processes_share_the_cores_and_this_one_keeps_its_own_settings(monkeypatch):
    monkeypatch.setattr(os, "cpu_count", lambda: 6)
    monkeypatch.setenv("OMP_NUM_THREADS", "5")
    monkeypatch.delenv("TF_NUM_INTRAOP_THREADS", raising=False)
    names = ["OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS"]
    # What they share is a function that asks a process for its own environment.
    found = ProcessPool(2).map(operator.call, names, os.getenv, functools.partial, (os.getenv,))
    assert list(found) == ["3", "3"]
    assert os.environ["OMP_NUM_THREADS"] == "5"
    assert "TF_NUM_INTRAOP_THREADS" not in os.environ
