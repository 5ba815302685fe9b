"""Loads, cleans and splits interactions, and draws training examples from them."""
