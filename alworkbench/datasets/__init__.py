"""Datasets: bundled and generated labelled collections."""
