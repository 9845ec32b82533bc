"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "class_list",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_class_list"),
    )
    op.create_table(
        "encoder",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("spec", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_encoder"),
    )
    op.create_table(
        "image",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.Column(
            "role",
            sa.Enum(
                "pool", "audit", name="role", native_enum=False, create_constraint=True, length=16
            ),
            nullable=False,
        ),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.Column("width", sa.Integer(), nullable=False),
        sa.Column("height", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "bytes >= 0 AND width >= 0 AND height >= 0", name=op.f("ck_image_sizes")
        ),
        sa.CheckConstraint("length(hash) = 64", name=op.f("ck_image_hash_is_sha256")),
        sa.PrimaryKeyConstraint("id", name="pk_image"),
        sa.UniqueConstraint("hash", name="uq_image_hash"),
    )
    op.create_index("ix_image_role", "image", ["role"])
    op.create_table(
        "image_root",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("root", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_image_root"),
        sa.UniqueConstraint("root", name="uq_image_root_root"),
    )
    op.create_table(
        "label_class",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_label_class"),
        sa.UniqueConstraint("name", name="uq_label_class_name"),
    )
    op.create_table(
        "class_list_entry",
        sa.Column("class_list_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("class_id", sa.Integer(), nullable=False),
        sa.Column("templates", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_id"], ["label_class.id"], name="fk_class_list_entry_class_id"
        ),
        sa.ForeignKeyConstraint(
            ["class_list_id"], ["class_list.id"], name="fk_class_list_entry_class_list_id"
        ),
        sa.PrimaryKeyConstraint("class_list_id", "position", name="pk_class_list_entry"),
        sa.UniqueConstraint(
            "class_list_id", "class_id", name="uq_class_list_entry_class_list_id_class_id"
        ),
    )
    op.create_table(
        "image_path",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("root_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_image_path_image_id"),
        sa.ForeignKeyConstraint(["root_id"], ["image_root.id"], name="fk_image_path_root_id"),
        sa.PrimaryKeyConstraint("id", name="pk_image_path"),
        sa.UniqueConstraint(
            "root_id", "path", "image_id", name="uq_image_path_root_id_path_image_id"
        ),
    )
    op.create_index("ix_image_path_image_id", "image_path", ["image_id"])
    op.create_index("ix_image_path_name", "image_path", ["name"])
    op.create_table(
        "posterior",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("encoder_id", sa.Text(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("provenance", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["encoder_id"], ["encoder.id"], name="fk_posterior_encoder_id"),
        sa.PrimaryKeyConstraint("id", name="pk_posterior"),
    )
    op.create_table(
        "project",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.Column("encoder_id", sa.Text(), nullable=True),
        sa.CheckConstraint("id = 1", name=op.f("ck_project_one_row")),
        sa.ForeignKeyConstraint(["encoder_id"], ["encoder.id"], name="fk_project_encoder_id"),
        sa.PrimaryKeyConstraint("id", name="pk_project"),
    )
    op.create_table(
        "quarantined_file",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("root_id", sa.Integer(), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column(
            "code",
            sa.Enum(
                "unidentified",
                "truncated",
                "bomb",
                "io",
                "timeout",
                "crash",
                "nonfinite",
                name="quarantinecode",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["root_id"], ["image_root.id"], name="fk_quarantined_file_root_id"),
        sa.PrimaryKeyConstraint("id", name="pk_quarantined_file"),
        sa.UniqueConstraint("root_id", "path", name="uq_quarantined_file_root_id_path"),
    )
    op.create_table(
        "round",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("strategy", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("batch_size", sa.Integer(), nullable=False),
        sa.Column("class_list_id", sa.Integer(), nullable=False),
        sa.Column("posterior_id", sa.Integer(), nullable=True),
        sa.Column("learner_id", sa.Integer(), nullable=True),
        sa.Column(
            "state",
            sa.Enum(
                "open",
                "closed",
                name="roundstate",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("opened_at", sa.BigInteger(), nullable=False),
        sa.Column("closed_at", sa.BigInteger(), nullable=True),
        sa.Column("seconds", sa.Double(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.CheckConstraint(
            "(state = 'closed') = (closed_at IS NOT NULL)", name=op.f("ck_round_closed_at")
        ),
        sa.ForeignKeyConstraint(
            ["class_list_id"], ["class_list.id"], name="fk_round_class_list_id"
        ),
        sa.ForeignKeyConstraint(
            ["learner_id"], ["learner.id"], name="fk_round_learner_id", use_alter=True
        ),
        sa.ForeignKeyConstraint(["posterior_id"], ["posterior.id"], name="fk_round_posterior_id"),
        sa.PrimaryKeyConstraint("id", name="pk_round"),
        sa.UniqueConstraint("number", name="uq_round_number"),
    )
    op.create_index(
        "uq_round_open",
        "round",
        ["state"],
        unique=True,
        sqlite_where=sa.text("state = 'open'"),
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "item",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("suggested_class_id", sa.Integer(), nullable=True),
        sa.Column("suggested_probability", sa.Double(), nullable=True),
        sa.Column("lease_annotator", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("lease_since", sa.BigInteger(), nullable=True),
        sa.Column("lease_until", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "(lease_annotator IS NULL) = (lease_token IS NULL)"
            " AND (lease_annotator IS NULL) = (lease_since IS NULL)"
            " AND (lease_annotator IS NULL) = (lease_until IS NULL)",
            name=op.f("ck_item_lease"),
        ),
        sa.CheckConstraint(
            "(suggested_class_id IS NULL) = (suggested_probability IS NULL)",
            name=op.f("ck_item_suggestion"),
        ),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_item_image_id"),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name="fk_item_round_id"),
        sa.ForeignKeyConstraint(
            ["suggested_class_id"], ["label_class.id"], name="fk_item_suggested_class_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_item"),
        sa.UniqueConstraint("id", "image_id", name="uq_item_id_image_id"),
        sa.UniqueConstraint("lease_token", name="uq_item_lease_token"),
        sa.UniqueConstraint("round_id", "image_id", name="uq_item_round_id_image_id"),
        sa.UniqueConstraint("round_id", "position", name="uq_item_round_id_position"),
    )
    op.create_table(
        "learner",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_id", sa.Integer(), nullable=False),
        sa.Column("posterior_id", sa.Integer(), nullable=False),
        sa.Column("class_list_id", sa.Integer(), nullable=False),
        sa.Column("file", sa.Text(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("settings", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(
            ["class_list_id"], ["class_list.id"], name="fk_learner_class_list_id"
        ),
        sa.ForeignKeyConstraint(["posterior_id"], ["posterior.id"], name="fk_learner_posterior_id"),
        sa.ForeignKeyConstraint(["round_id"], ["round.id"], name="fk_learner_round_id"),
        sa.PrimaryKeyConstraint("id", name="pk_learner"),
    )
    op.create_table(
        "label",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("image_id", sa.Integer(), nullable=False),
        sa.Column(
            "kind",
            sa.Enum(
                "class",
                "skip",
                "cannot_tell",
                name="answerkind",
                native_enum=False,
                create_constraint=True,
                length=16,
            ),
            nullable=False,
        ),
        sa.Column("class_id", sa.Integer(), nullable=True),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("item_id", sa.Integer(), nullable=True),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.Column("duration_ms", sa.BigInteger(), nullable=True),
        sa.Column("suggested_class_id", sa.Integer(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.CheckConstraint(
            "(kind = 'class') = (class_id IS NOT NULL)", name=op.f("ck_label_class_given")
        ),
        sa.CheckConstraint("duration_ms >= 0", name=op.f("ck_label_duration")),
        sa.ForeignKeyConstraint(["class_id"], ["label_class.id"], name="fk_label_class_id"),
        sa.ForeignKeyConstraint(["image_id"], ["image.id"], name="fk_label_image_id"),
        sa.ForeignKeyConstraint(
            ["item_id", "image_id"], ["item.id", "item.image_id"], name="fk_label_item_id"
        ),
        sa.ForeignKeyConstraint(
            ["suggested_class_id"], ["label_class.id"], name="fk_label_suggested_class_id"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_label"),
        sa.UniqueConstraint("event_id", name="uq_label_event_id"),
    )
    op.create_index("ix_label_image_id", "label", ["image_id"])
    op.create_index("ix_label_item_id", "label", ["item_id"])
    op.create_table(
        "metric",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("round_number", sa.Integer(), nullable=False),
        sa.Column("learner_id", sa.Integer(), nullable=True),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("audit_images", sa.Integer(), nullable=False),
        sa.Column("figures", sa.JSON(), nullable=False),
        sa.Column("measured_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["learner_id"], ["learner.id"], name="fk_metric_learner_id"),
        sa.PrimaryKeyConstraint("id", name="pk_metric"),
    )
    op.create_table(
        "label_retraction",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("label_id", sa.Integer(), nullable=False),
        sa.Column("annotator", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["label_id"], ["label.id"], name="fk_label_retraction_label_id"),
        sa.PrimaryKeyConstraint("id", name="pk_label_retraction"),
        sa.UniqueConstraint("event_id", name="uq_label_retraction_event_id"),
        sa.UniqueConstraint("label_id", name="uq_label_retraction_label_id"),
    )
    # UNIQUE holds two nulls for different, so the null learner stands as 0 in the index.
    op.create_index(
        "uq_metric_round_learner",
        "metric",
        ["round_number", sa.text("coalesce(learner_id, 0)")],
        unique=True,
    )
    if op.get_bind().dialect.name == "sqlite":
        for table in ("label", "label_retraction"):
            for verb in ("update", "delete"):
                op.execute(
                    f"CREATE TRIGGER {table}_no_{verb} BEFORE {verb.upper()} ON {table} "
                    f"BEGIN SELECT RAISE(ABORT, '{table}: rows are only ever added'); END"
                )
    else:  # SQLite takes a key to a table that is yet to come, others do not
        op.create_foreign_key("fk_round_learner_id", "round", "learner", ["learner_id"], ["id"])


def downgrade() -> None:
    raise RuntimeError("this upgrade cannot be reversed; use the copy that was made before it")
