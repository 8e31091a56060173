"""NumPy's linear algebra."""
