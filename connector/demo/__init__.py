"""The demonstration: practice desks, the real daemon and the real model as real processes."""
