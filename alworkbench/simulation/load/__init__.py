"""Loaders of the data sources of a simulation."""
