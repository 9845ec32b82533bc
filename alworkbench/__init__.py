"""Active learning for images with the Laplace posterior of a vision-language model.

Importing this package is cheap: torch and open_clip are loaded by the modules that compute with them.
"""

__version__ = "0.1.0"
