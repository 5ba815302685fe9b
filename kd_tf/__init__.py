"""kd_tf: from a table of who read what to a book recommender small enough for an app."""

__version__ = "0.1.0"
