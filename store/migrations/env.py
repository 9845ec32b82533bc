"""Run by Alembic. The connection comes in `config.attributes`, its transaction is the caller's."""

from alembic import context

import store.schema  # noqa: F401 - defines the tables of Base
from store.columns import Base

connection = context.config.attributes.get("connection")
if connection is None:
    raise RuntimeError("no connection was given: call store.upgrades.upgrade")
context.configure(connection=connection, target_metadata=Base.metadata, render_as_batch=True)
with context.begin_transaction():
    context.run_migrations()
