"""Distills a large recommender into a small one and exports it as a `.tflite` file.

Interactions in; a bundle for an app, its measurements and a report out.
"""

__version__ = "0.1.0"
