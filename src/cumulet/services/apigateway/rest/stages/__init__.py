"""Stages: names under which deployments are called."""
