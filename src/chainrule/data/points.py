"""Points in the plane that no straight line separates: small problems whose solution can be looked at.

All are generated with NumPy from a seed (an integer, or a Generator to go on drawing from): the same seed gives the
same points.
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from chainrule.data.dataset import Dataset

Seed: TypeAlias = "int | np.random.Generator"  # as text: numpy.random takes a while to import


def spiral(points: int = 100, classes: int = 3, noise: float = 0.2, seed: Seed = 0) -> Dataset:
    """Arms of a spiral, one a class: the case study of the course notes of CS231n.

    On arm j the radius grows evenly from 0 to 1 while the angle goes from 4j to 4(j + 1), plus Gaussian noise.

    Args:
        points: how many on each arm.
        classes: how many arms.
        noise: standard deviation of the angle, in radians.
        seed: where the noise comes from.

    Returns inputs (points * classes, 2) float32, arm after arm. Raises ValueError for negative or zero sizes.

    >>> import chainrule as cr
    >>> cr.data.spiral(points=5, classes=2).labels
    array([0, 0, 0, 0, 0, 1, 1, 1, 1, 1])
    """
    _check(points, classes, noise)
    generator = np.random.default_rng(seed)
    radius = np.tile(np.linspace(0, 1, points), classes)
    angle = np.concatenate([np.linspace(4 * arm, 4 * (arm + 1), points) for arm in range(classes)])
    angle = angle + noise * generator.standard_normal(points * classes)
    inputs = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
    labels = np.repeat(np.arange(classes), points)
    return _plane(inputs, labels, classes, f"{classes} arms of a spiral, {points} points each")


def circle(points: int = 100, noise: float = 0.1, seed: Seed = 0) -> Dataset:
    """A disc (class 0) inside a ring (class 1).

    Radii are drawn evenly from 0 to 0.5 and from 0.7 to 1.2, angles from the full turn; then both coordinates get
    Gaussian noise.

    Args:
        points: how many in each class.
        noise: standard deviation of each coordinate.
        seed: where all of it comes from.

    Returns inputs (2 * points, 2) float32. Raises ValueError for negative or zero sizes.

    >>> import chainrule as cr
    >>> x, y = cr.data.circle(noise=0.0)
    >>> bool((x[y == 0] ** 2).sum(1).max() < (x[y == 1] ** 2).sum(1).min())
    True
    """
    _check(points, 2, noise)
    generator = np.random.default_rng(seed)
    radius = np.concatenate([generator.uniform(0, 0.5, points), generator.uniform(0.7, 1.2, points)])
    angle = generator.uniform(0, 2 * np.pi, 2 * points)
    inputs = np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)
    inputs = inputs + noise * generator.standard_normal(inputs.shape)
    return _plane(inputs, np.repeat([0, 1], points), 2, f"a disc inside a ring, {points} points each")


def moons(points: int = 100, noise: float = 0.1, seed: Seed = 0) -> Dataset:
    """Two half circles of radius 1 that reach into each other.

    The upper one (class 0) is centred at (0, 0), the lower one (class 1) at (1, 0.5); both coordinates get Gaussian
    noise.

    Args:
        points: how many on each half circle, evenly spaced.
        noise: standard deviation of each coordinate.
        seed: where the noise comes from.

    Returns inputs (2 * points, 2) float32. Raises ValueError for negative or zero sizes.

    >>> import chainrule as cr
    >>> cr.data.moons(points=3, noise=0.0).inputs.round(1) + 0.0
    array([[ 1. ,  0. ],
           [ 0. ,  1. ],
           [-1. ,  0. ],
           [ 0. ,  0.5],
           [ 1. , -0.5],
           [ 2. ,  0.5]], dtype=float32)
    """
    _check(points, 2, noise)
    generator = np.random.default_rng(seed)
    angle = np.linspace(0, np.pi, points)
    upper = np.stack([np.cos(angle), np.sin(angle)], axis=1)
    lower = np.stack([1 - np.cos(angle), 0.5 - np.sin(angle)], axis=1)
    inputs = np.concatenate([upper, lower])
    inputs = inputs + noise * generator.standard_normal(inputs.shape)
    return _plane(inputs, np.repeat([0, 1], points), 2, f"two half circles that interlock, {points} points each")


def _check(points: int, classes: int, noise: float) -> None:
    if points < 1 or classes < 1 or noise < 0:
        raise ValueError(
            f"points and classes must be at least 1 and noise at least 0, not {points}, {classes} and {noise}"
        )


def _plane(inputs: NDArray[Any], labels: NDArray[Any], classes: int, description: str) -> Dataset:
    return Dataset(inputs.astype(np.float32), labels, ("x1", "x2"), tuple(map(str, range(classes))), description)
