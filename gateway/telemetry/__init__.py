"""What the server says about itself: one log line a request, and metrics."""
