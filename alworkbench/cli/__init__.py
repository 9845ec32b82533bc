"""The commands, a module for each group. They, and `ui/app.py`, alone join the parts."""
