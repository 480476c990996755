"""The AWS service shapes, generated from botocore's models; no logic."""
