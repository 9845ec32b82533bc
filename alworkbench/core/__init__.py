"""Core: values, errors and protocols that every room uses."""
