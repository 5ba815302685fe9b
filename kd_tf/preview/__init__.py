"""Shows a bundle in a web page, on this computer or from any static file host."""
