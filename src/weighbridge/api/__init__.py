"""The doors over HTTP: words of other products over our verbs. No story and no SQL lives here."""
