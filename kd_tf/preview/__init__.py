"""A bundle in a browser page: on this computer, or in a folder for any static host."""
