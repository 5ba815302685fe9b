"""What holds for every test: few threads, and hypothesis without a clock."""

from __future__ import annotations

import os

# Read by TensorFlow when a test first imports it. Tiny models gain nothing from more threads,
# and parallel test workers would fight for the cores.
for _threads in ("OMP_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS"):
    os.environ.setdefault(_threads, "1")

from hypothesis import settings  # noqa: E402 - after the threads, for whatever it loads

# No deadline: the first example of a test pays for TensorFlow's tracing.
settings.register_profile("kd_tf", deadline=None, print_blob=True)
settings.load_profile("kd_tf")
