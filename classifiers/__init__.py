"""Texts in, predictions out: the encoder, its heads, and the bundles that hold them."""
