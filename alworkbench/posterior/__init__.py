"""Posterior: the Laplace approximation of the two projections."""
