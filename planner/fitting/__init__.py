"""Fitting scaling laws to runs: numpy only, no files. One module a form; ``fit.py`` is the way in."""
