"""What becomes of a run that meets NaN, infinity, an interrupt or an error."""

import numpy as np
import pytest

import chainrule as cr
from chainrule import training

both = pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
X = np.random.default_rng(0).standard_normal((60, 3)).astype(np.float32)
Y = np.arange(60) % 2


def net(seed=0):
    return cr.nn.Sequential(cr.nn.Linear(3, 4, rng=seed), cr.nn.Tanh(), cr.nn.Linear(4, 2, rng=seed + 1))


def fitted(model, optimizer, x=X, y=Y, **options):
    options = {"epochs": 3, "batch": 4, **options}
    return training.fit(model, "cross_entropy", optimizer, (x, y), **options)


def state(model, optimizer):
    values = [*model.state_dict().values(), *optimizer.state_dict().values()]
    return [value.tobytes() for value in values]


@both
def test_a_bad_example_is_named_with_gate_layer_and_step(compiled):
    """The 21st row that is seen has a NaN: the sixth step of the first epoch."""
    x = X.copy()
    x[training.position.epoch_order(0, 0, 60)[20]] = np.nan
    model = net()
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with pytest.raises(
        training.DivergedError, match=r"the loss became nan in epoch 1, step 6: in Sequential\.Linear_0, the value of"
    ) as caught:
        fitted(model, optimizer, x, compiled=compiled)
    bad = training.position.epoch_order(0, 0, 60)[20]
    assert f"The inputs of example {bad} (from 0) hold nan; the model is as it was" in str(caught.value)
    assert (caught.value.epoch, caught.value.step) == (1, 6)
    assert optimizer.steps.item() == 5
    other = net()
    same = cr.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    first = training.position.epoch_order(0, 0, 60)[:20]
    training.fit(
        other, "cross_entropy", same, (X[first], Y[first]), epochs=1, batch=4, shuffle=False, compiled=compiled
    )
    assert state(model, optimizer) == state(other, same)


@both
def test_a_gradient_that_is_not_finite_is_named(compiled):
    """The slope of a square root at 0 is infinite; its value is not."""

    class Root(cr.nn.Module):
        def forward(self, x):
            return np.sqrt(x)

    model = cr.nn.Sequential(cr.nn.Linear(3, 1, rng=0), Root())
    for p in model.parameters():
        p.assign(np.zeros(p.shape))
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1)
    with pytest.raises(training.DivergedError, match=r"in Sequential\.Root_1, the gradient that sqrt"):
        training.fit(model, "mse", optimizer, (X, X[:, :1] ** 2), epochs=1, compiled=compiled)
    assert all(np.isfinite(p.value).all() for p in model.parameters())
    assert optimizer.steps.item() == 0


@both
def test_an_update_that_is_not_finite_is_named(compiled):
    model = cr.nn.Linear(1, 1, rng=0)
    optimizer = cr.optim.SGD(model.parameters(), lr=1e30)
    x = np.full((2, 1), 1e10, np.float32)
    with pytest.raises(training.DivergedError, match="the update made weight infinite or NaN in epoch 1, step 1"):
        training.fit(model, "mae", optimizer, (x, x), epochs=1, compiled=compiled)
    assert np.isfinite(model.weight.value).all()


@both
def test_a_step_size_that_is_too_large_leaves_a_finite_model(compiled):
    model = cr.nn.Sequential(cr.nn.Linear(3, 4, rng=0), cr.nn.ReLU(), cr.nn.Linear(4, 2, rng=1))
    optimizer = cr.optim.SGD(model.parameters(), lr=1e20)
    with pytest.raises(training.DivergedError, match=r"in epoch \d, step \d+"):
        fitted(model, optimizer, compiled=compiled)
    assert all(np.isfinite(p.value).all() for p in model.parameters())


class Breaks(training.Callback):
    """Raises after so many steps, or after an epoch."""

    def __init__(self, error, where):
        self.error, self.where, self.ended = error, where, []

    def on_steps(self, run, losses):
        if self.where == "steps" and run.epoch == 2:
            raise self.error

    def on_epoch(self, run, record):
        if self.where == "epoch" and len(run.history) == 2:
            raise self.error

    def on_end(self, run):
        self.ended.append(run.error)


@both
@pytest.mark.parametrize("where", ["steps", "epoch"])
@pytest.mark.parametrize("error", [KeyboardInterrupt(), ValueError("mine")], ids=["interrupt", "error"])
def test_a_callback_that_raises_leaves_whole_steps_and_epochs(compiled, where, error):
    model, history = net(), training.History()
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    callback = Breaks(error, where)
    with pytest.raises(type(error)):
        fitted(model, optimizer, compiled=compiled, callbacks=[callback], history=history)
    assert callback.ended == [error]
    assert not model.training
    assert len(history) == (1 if where == "steps" else 2)
    other = net()
    same = cr.optim.SGD(other.parameters(), lr=0.1, momentum=0.9)
    fitted(other, same, compiled=compiled, epochs=len(history))
    if where == "epoch":
        assert state(model, optimizer) == state(other, same)
        fitted(model, optimizer, compiled=compiled, epochs=1, history=history)
        fitted(other, same, compiled=compiled, epochs=1)
        assert state(model, optimizer) == state(other, same)
    else:
        assert 15 < optimizer.steps.item() <= 30


@both
def test_steps_that_do_not_end_are_undone(compiled):
    """An interrupt comes while steps run: those that nobody has heard of have not happened."""
    heard = []

    class Interrupts(cr.nn.Module):
        def __init__(self):
            self.weight = cr.Parameter(np.ones((3, 2)))

        def forward(self, x):
            if heard and not compiled:
                raise KeyboardInterrupt
            return x @ self.weight

    class Hears(training.Callback):
        def on_steps(self, run, losses):
            heard.append(state(model, optimizer))
            if compiled:
                model.weight.name = "renewed"  # as an attribute of the module does
                type(model).forward = interrupted

    def interrupted(self, x):
        raise KeyboardInterrupt

    model = Interrupts()
    optimizer = cr.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    y = np.arange(60) % 2
    with pytest.raises(KeyboardInterrupt):
        training.fit(
            model, "cross_entropy", optimizer, (X, y), epochs=3, batch=7, compiled=compiled, callbacks=[Hears()]
        )
    assert state(model, optimizer) == heard[-1]


def test_what_a_step_changes_besides_the_model_is_put_back_too():
    noise = cr.random.Generator(0)

    def noisy(outputs, targets):
        return cr.nn.mse(outputs + noise.normal(outputs.shape), targets)

    x = np.ones((40, 1), np.float32)
    model = cr.nn.Linear(1, 1, rng=0)
    trainer = training.Trainer(model, noisy, cr.optim.SGD(model.parameters(), lr=0.1))
    trainer.fit((x, x), epochs=1, batch=4)
    before = noise.counter.item()
    assert before == 40 * 2
    with pytest.raises(training.DivergedError, match="epoch 1, step 1"):
        trainer.fit((np.nan * x, x), epochs=1, batch=4)
    assert noise.counter.item() == before
