"""Journeys: the real command, from the first word to the exit code."""
