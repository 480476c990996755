"""IAM policies: parsing and evaluation, pure functions."""
