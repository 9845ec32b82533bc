"""The browser screens: pages and routes over one open project.

`ui.serve.serve` runs them. Importing this package is cheap; Streamlit is loaded when it serves.
"""
