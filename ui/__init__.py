"""The browser screens: pages and routes over one open project.

`ui.serve.serve` runs them. Importing this package is cheap; Streamlit is loaded when it serves.
"""

from ui.serve import serve

__all__ = ["serve"]
