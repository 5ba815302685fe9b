"""Loads, cleans and splits interactions, and draws training examples from them."""

from kd_tf.extras import require_modules

require_modules("polars", "scipy")
