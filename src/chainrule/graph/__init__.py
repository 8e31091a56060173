"""The computational graph: arrays that know what made them, and the backward pass along them."""
