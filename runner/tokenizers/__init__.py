"""Tokenizers: trained, kept, measured, and put to work."""
