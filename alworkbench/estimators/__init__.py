"""Estimators: the methods as scikit-learn and modAL objects."""
