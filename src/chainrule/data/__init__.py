"""Data to learn from: real digits, points in the plane, held-out parts and minibatches."""

from chainrule.data.dataset import Dataset
from chainrule.data.images import digits
from chainrule.data.points import circle, moons, spiral
from chainrule.data.sampling import batches, split

__all__ = ["Dataset", "batches", "circle", "digits", "moons", "spiral", "split"]
