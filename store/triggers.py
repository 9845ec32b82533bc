"""Triggers that keep answers, their origins, take-backs and changes of roles: rows are only ever added."""

APPEND_ONLY_TABLES = ("label", "label_retraction", "role_change", "label_origin")

APPEND_ONLY = tuple(
    f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
    f"BEGIN SELECT RAISE(ABORT, '{table}: rows are only ever added'); END"
    for table in APPEND_ONLY_TABLES
    for verb in ("update", "delete")
)
"""SQLite triggers that refuse to change or remove such a row."""

POSTGRESQL_APPEND_ONLY = (
    "CREATE OR REPLACE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION '%: rows are only ever added', TG_TABLE_NAME; END $$",
    *(
        f"CREATE OR REPLACE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE OR TRUNCATE ON {table} "
        f"FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for table in APPEND_ONLY_TABLES
    ),
)
"""The same for PostgreSQL; running them again changes nothing. Those of SQLite are made by the steps."""
