"""Adaptation: methods that learn from labels."""
