"""`python -m connector` is the command `triaged`."""

from connector.cli import main

main()
