"""Models and plans for other programs."""
