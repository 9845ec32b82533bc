"""Steps of the schema, for Alembic. `store.upgrades` runs them."""
