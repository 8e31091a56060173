"""Real handwritten digits."""

from __future__ import annotations

import numpy as np

from chainrule.data.dataset import Dataset


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
    try:
        from sklearn.datasets import load_digits
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "the digits come with scikit-learn, which is not installed: pip install 'chainrule[data]'",
            name=error.name,
        ) from error
    bunch = load_digits()
    return Dataset(
        inputs=(bunch.data / 16).astype(np.float32),
        labels=bunch.target.astype(np.int64),
        features=tuple(f"row {row}, column {column}" for row in range(8) for column in range(8)),
        classes=tuple(str(digit) for digit in range(10)),
        description="handwritten digits, 8 x 8 pixels",
    )
