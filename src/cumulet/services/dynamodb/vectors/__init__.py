"""Vector indexes: items found by how near their vectors are to another."""
