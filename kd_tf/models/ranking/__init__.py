"""Models of the ranking task: the features of a row in, one logit out."""
