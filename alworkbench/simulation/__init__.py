"""Simulation: labelling with an oracle on known labels."""
