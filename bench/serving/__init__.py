"""What the server adds: a diff through the API, the queue, many users at once."""
