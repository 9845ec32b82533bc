"""Calibrations compared on images whose labels are all known."""
