"""A model trained in every way that there is: eagerly, compiled, natively and not, and over minibatches."""

import numpy as np

import chainrule as cr

WAYS = ["native", "source", "over"]


def trained(make, x, way=None, *, batch=None, steps=4):
    """Losses and States of the model that ``make()`` gives, after some steps on the rows of ``x``; eagerly by default.

    The last minibatch of each pass may be short.
    """
    model = make()
    optimizer = cr.optim.SGD(model.parameters(), lr=0.05, momentum=0.5) if model.named_parameters() else None
    weights = np.random.default_rng(9).standard_normal(4096)

    def step(x):
        z = model(x)
        # Every element counts otherwise, and no gradient is zero by symmetry.
        loss = np.mean(np.reshape(z, (-1,)) ** 2 * weights[: z.size].astype(z.dtype))
        if optimizer is not None:
            loss.backward()
            optimizer.step()
        return loss

    batch, losses = batch or len(x), []
    run = step if way is None else cr.compile(step, backend=None if way == "over" else way)
    for _ in range(steps):
        if way == "over":
            losses.extend(run.over(x, batch=batch))
        else:
            losses.extend(run(x[i : i + batch]).item() for i in range(0, len(x), batch))
    return np.array(losses), model.state_dict()


def check_agreement(make, x, way, *, batch=None, rtol=1e-4):
    """Losses and States agree with eager training up to rounding."""
    losses, states = trained(make, x, way, batch=batch)
    expected, expected_states = trained(make, x, batch=batch)
    np.testing.assert_allclose(losses, expected, rtol=rtol)
    assert list(states) == list(expected_states)
    for name, value in states.items():
        scale = np.max(np.abs(expected_states[name]), initial=0.0)
        np.testing.assert_allclose(value, expected_states[name], rtol=rtol, atol=rtol * scale, err_msg=name)
        assert value.dtype == expected_states[name].dtype
