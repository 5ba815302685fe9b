"""Encoders: models that turn the texts of books into vectors, one file each.

An encoder knows nothing of users. `kd_tf.data.features.encode` encodes a catalog with one, and
`kd_tf.models.content` maps its vectors to what a collaborative model knows.
"""
