"""Derivatives of functions: what a user calls who thinks in functions instead of circuits."""
