"""Datafold's words (contracts: datafold): datadiffs and data sources."""
