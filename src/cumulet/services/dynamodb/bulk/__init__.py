"""Bulk puts: files of S3 written into a table that is there already."""
