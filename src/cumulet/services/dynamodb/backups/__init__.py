"""Copies of tables: backups, recovery to a moment, exports and imports."""
