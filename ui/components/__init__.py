"""Components of the screens."""
