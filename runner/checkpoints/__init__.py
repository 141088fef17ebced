"""Checkpoints: written, proved, kept, and taken back."""
