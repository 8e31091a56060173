"""Data to learn from: known sets, tables, points in the plane; held-out parts, scaling and minibatches."""

from chainrule.data.dataset import Dataset
from chainrule.data.download import DownloadError
from chainrule.data.frames import read_frame
from chainrule.data.images import cifar10, digits, fashion_mnist, mnist, mnist_5k
from chainrule.data.measurements import adult, breast_cancer, california, diabetes, iris, wine
from chainrule.data.points import circle, moons, spiral
from chainrule.data.sampling import batches, split
from chainrule.data.scaling import Standardiser, one_hot
from chainrule.data.table import TableEncoder, read_table

__all__ = [
    "Dataset",
    "DownloadError",
    "Standardiser",
    "TableEncoder",
    "adult",
    "batches",
    "breast_cancer",
    "california",
    "cifar10",
    "circle",
    "diabetes",
    "digits",
    "fashion_mnist",
    "iris",
    "mnist",
    "mnist_5k",
    "moons",
    "one_hot",
    "read_frame",
    "read_table",
    "spiral",
    "split",
    "wine",
]
