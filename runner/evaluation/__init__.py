"""Evaluation while a model trains."""
