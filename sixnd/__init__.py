"""sixnd turns a compute budget into a trained language model and says at every step why."""

__version__ = "0.1.0"
