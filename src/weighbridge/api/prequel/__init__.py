"""Prequel's words over our catalog: who may ask, how answers look, what each route calls."""
