"""What is remembered: SQLAlchemy Core, SQLite by default, PostgreSQL by URL, the same statements."""
