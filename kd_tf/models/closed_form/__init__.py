"""Models of which books are read together that one calculation solves, without training steps."""
