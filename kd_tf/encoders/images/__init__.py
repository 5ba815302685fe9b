"""Encoders of images, such as covers of books: one file each, and the reading of image files."""
