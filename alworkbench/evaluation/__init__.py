"""Evaluation: metrics, intervals, learning curves and tests."""
