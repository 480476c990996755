"""Deployments: an API as it was."""
