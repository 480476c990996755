"""IAM policies: reading, compiling and evaluating them; pure functions, no store, no clock."""
