"""Proof before switching on: a history, and a bundle learnt from it, put to the question."""
