"""What the practice desks of all platforms share: exchanges, mishaps, the HTTP server."""
