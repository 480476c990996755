"""Custom domain names, their mappings, and who may come to private ones."""
