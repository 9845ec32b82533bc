"""Triggers that keep answers, their origins, take-backs, notes, changes of roles and flags, and reviews."""

APPEND_ONLY_TABLES = (
    "label",
    "label_retraction",
    "role_change",
    "label_origin",
    "note",
    "flag_change",
)

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
REVIEWS = (
    "CREATE TRIGGER review_no_delete BEFORE DELETE ON review "
    "BEGIN SELECT RAISE(ABORT, 'review: no case is ever removed'); END",
    "CREATE TRIGGER review_no_update BEFORE UPDATE ON review WHEN OLD.state <> 'open' "
    "BEGIN SELECT RAISE(ABORT, 'review: a closed case never changes'); END",
)
"""SQLite triggers that refuse to remove a case, or to change a closed one."""

TRIGGERS = (*APPEND_ONLY, *REVIEWS)
"""All of SQLite."""

POSTGRESQL_REVIEWS = (
    "CREATE OR REPLACE FUNCTION refuse_review_change() RETURNS trigger LANGUAGE plpgsql AS "
    "$$ BEGIN RAISE EXCEPTION 'review: no case is ever removed, and a closed case never changes'; END $$",
    "CREATE OR REPLACE TRIGGER review_no_delete BEFORE DELETE OR TRUNCATE ON review "
    "FOR EACH STATEMENT EXECUTE FUNCTION refuse_review_change()",
    "CREATE OR REPLACE TRIGGER review_no_update BEFORE UPDATE ON review "
    "FOR EACH ROW WHEN (OLD.state <> 'open') EXECUTE FUNCTION refuse_review_change()",
)
"""The same for PostgreSQL; running them again changes nothing."""

POSTGRESQL_TRIGGERS = (*POSTGRESQL_APPEND_ONLY, *POSTGRESQL_REVIEWS)
"""All of PostgreSQL."""
