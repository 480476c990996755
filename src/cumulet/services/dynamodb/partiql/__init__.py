"""PartiQL: statements parsed to the trees of expressions, and run as the operations that they stand for."""
