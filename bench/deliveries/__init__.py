"""What deliveries and integrity jobs cost, beside the plainest thing that moves or reads the same rows."""
