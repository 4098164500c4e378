"""What the daemon serves: webhooks in, health and counts out."""
