"""EPIG: expected predictive information gain, exact and from draws."""
