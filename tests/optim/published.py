"""The published update rules, written out in plain NumPy in float64, one at a time, to compare with.

Each is a function of its options that gives a function ``update(w, gradient, lr)`` with a memory of its own.
"""

import numpy as np


def sgd(momentum=0.0, nesterov=False):
    """Course notes, neural-networks-3; Nesterov as there, in terms of the old and the new velocity."""
    v = 0.0

    def update(w, g, lr):
        nonlocal v
        old = v
        v = momentum * v - lr * g
        return w - momentum * old + (1 + momentum) * v if nesterov else w + v

    return update


def adagrad(epsilon=1e-8):
    """Duchi, Hazan & Singer 2011, section 1.3, with the diagonal."""
    total = 0.0

    def update(w, g, lr):
        nonlocal total
        total = total + g**2
        return w - lr * g / (np.sqrt(total) + epsilon)

    return update


def rmsprop(decay=0.9, epsilon=1e-8):
    """Tieleman & Hinton 2012, lecture 6.5, slide 29."""
    mean = 0.0

    def update(w, g, lr):
        nonlocal mean
        mean = decay * mean + (1 - decay) * g**2
        return w - lr * g / (np.sqrt(mean) + epsilon)

    return update


def adadelta(decay=0.95, epsilon=1e-6):
    """Zeiler 2012, algorithm 1."""
    gradients, updates = 0.0, 0.0

    def update(w, g, lr):
        nonlocal gradients, updates
        gradients = decay * gradients + (1 - decay) * g**2
        delta = -np.sqrt(updates + epsilon) / np.sqrt(gradients + epsilon) * g
        updates = decay * updates + (1 - decay) * delta**2
        return w + lr * delta

    return update


def adam(beta1=0.9, beta2=0.999, epsilon=1e-8):
    """Kingma & Ba 2015, algorithm 1, line by line."""
    t, m, v = 0, 0.0, 0.0

    def update(w, g, lr):
        nonlocal t, m, v
        t = t + 1
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        corrected_m = m / (1 - beta1**t)
        corrected_v = v / (1 - beta2**t)
        return w - lr * corrected_m / (np.sqrt(corrected_v) + epsilon)

    return update


def lion(beta1=0.9, beta2=0.99):
    """Chen et al. 2023, algorithm 2."""
    m = 0.0

    def update(w, g, lr):
        nonlocal m
        c = beta1 * m + (1 - beta1) * g
        m = beta2 * m + (1 - beta2) * g
        return w - lr * np.sign(c)

    return update


RULES = {
    "sgd": sgd, "adagrad": adagrad, "rmsprop": rmsprop, "adadelta": adadelta, "adam": adam, "adamw": adam,
    "lion": lion,
}  # fmt: skip


class ByHand:
    """Several parameters, each with a rule of its own, and what all rules have in common."""

    def __init__(self, name, weights, lr, *, l2=0.0, weight_decay=0.0, clip_value=None, clip_norm=None, schedule=None,
                 own=({}, {}), **options):  # fmt: skip
        self.weights = [w.astype(np.float64) for w in weights]
        self.lr, self.l2, self.weight_decay, self.own = lr, l2, weight_decay, own
        self.clip_value, self.clip_norm, self.schedule = clip_value, clip_norm, schedule
        self.rules = [RULES[name](**options) for _ in weights]
        self.step_number = 0

    def step(self, gradients):
        if self.clip_value is not None:
            gradients = [np.minimum(np.maximum(g, -self.clip_value), self.clip_value) for g in gradients]
        if self.clip_norm is not None:
            norm = np.sqrt(sum((g**2).sum() for g in gradients))
            if norm > self.clip_norm:
                gradients = [g / norm * self.clip_norm for g in gradients]
        for i, g in enumerate(gradients):
            w = self.weights[i]
            lr = self.own[i].get("lr", self.lr)
            if self.schedule is not None:
                lr = lr * self.schedule(self.step_number)
            decay = 0.0
            if w.ndim > 1:  # biases are not pulled
                g = g + self.own[i].get("l2", self.l2) * w
                decay = lr * self.weight_decay * w
            self.weights[i] = self.rules[i](w - decay, g, lr)
        self.step_number += 1
