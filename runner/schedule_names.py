"""The plan's words for a learning rate's schedule, as Megatron-core, Megatron-LM and Megatron-Bridge know them."""

STYLES = {"cosine": "cosine", "wsd": "WSD", "inverse-square-root": "inverse-square-root"}
"""Shapes of the whole."""
COOLDOWNS = {"linear": "linear", "1-sqrt": "minus_sqrt"}
"""Shapes of the fall at the end."""
