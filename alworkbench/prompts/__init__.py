"""Prompts: the texts that tell the model what the classes are."""
