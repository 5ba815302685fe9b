"""A run of the ranking task: a table with a label in, a file that predicts it out."""
