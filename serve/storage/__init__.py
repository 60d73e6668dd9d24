"""Rows: suggestions and keys, by SQLAlchemy."""
