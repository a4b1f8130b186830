"""Demonstrations out of the simulated cell and out of recorded runs."""
