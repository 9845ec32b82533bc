"""The pages of the screens."""
