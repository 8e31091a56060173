"""Programs: a recorded computation as an ordered list of gates, the passes over it, and its printed source."""
