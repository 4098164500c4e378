"""A desk's own history becomes a bundle: read, split, learnt, chosen, calibrated, measured."""
