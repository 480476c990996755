"""Managed instances: capacity providers, the functions that run by them, and how many environments those have.

This node is the instance: what would choose machines is checked, kept and shown, and decides nothing here.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html
"""
