"""Acquisition: scores of images and the choice of the next batch."""
