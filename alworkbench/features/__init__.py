"""Features: encoded images on disk and as tables."""
