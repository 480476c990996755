"""Documentation parts and versions."""
