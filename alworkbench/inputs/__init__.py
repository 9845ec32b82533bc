"""Inputs: readers of images, labels, manifests and archives."""
