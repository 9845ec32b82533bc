"""Formats in which labels leave a project and come back, behind one registry."""
