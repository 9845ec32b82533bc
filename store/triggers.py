"""Triggers that keep answers, their origins, take-backs and changes of roles: rows are only ever added."""

APPEND_ONLY = tuple(
    f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table}: rows are only ever added'); END"
    for table in ("label", "label_retraction", "role_change", "label_origin")
    for verb in ("update", "delete")
)
"""SQLite triggers that refuse to change or remove such a row."""
