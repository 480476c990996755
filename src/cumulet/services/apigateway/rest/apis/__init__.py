"""REST APIs as a whole: their rules, rows, documents and clients."""
