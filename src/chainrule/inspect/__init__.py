"""Looking at circuits: explanations, drawings, and why a gradient is zero."""
