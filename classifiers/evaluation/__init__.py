"""How good a bundle is on labelled tickets, asked through the code that serves."""
