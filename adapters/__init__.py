"""One package per ticketing platform, the same files in each."""
