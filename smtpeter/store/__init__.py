"""What must survive: SQLAlchemy Core tables, the group-commit writer, and queries by family."""
