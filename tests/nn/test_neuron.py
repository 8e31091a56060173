"""Neuron: what it accepts, what it keeps."""

import copy
import pickle

import numpy as np
import pytest

import chainrule as cr
from chainrule.nn import Neuron


def test_numbers_become_parameters_and_arrays_stay_what_they_are():
    neuron = Neuron([2, -3], -3)
    assert isinstance(neuron.weights, cr.Parameter)
    assert isinstance(neuron.bias, cr.Parameter)
    assert neuron.weights.dtype == np.float32
    assert list(neuron.named_parameters()) == ["weights", "bias"]
    assert (neuron.neuron_count, neuron.parameter_count) == (1, 3)
    weights, bias = cr.array([2.0, -3.0]), cr.array(-3.0)
    neuron = Neuron(weights, bias)
    assert neuron.weights is weights
    assert neuron.bias is bias


@pytest.mark.parametrize("inputs", [[-1, -2], (-1.0, -2.0), np.array([-1, -2]), np.float64([-1, -2])])
def test_inputs_are_cast_to_the_weights_dtype(inputs):
    neuron = Neuron([2.0, -3.0], -3.0)
    assert neuron.forward(inputs).dtype == np.float32
    assert neuron.cell_body_sum.item() == 1


def test_a_variable_as_input_is_cast_within_the_circuit():
    inputs = cr.array([-1.0, -2.0])
    rate = Neuron([2.0, -3.0], -3.0)(inputs)
    rate.backward()
    assert rate.dtype == np.float32
    assert inputs.grad.dtype == np.float64
    np.testing.assert_allclose(inputs.grad, [0.393224, -0.589836], rtol=1e-5)


@pytest.mark.parametrize("inputs", [[1.0], [1.0, 2.0, 3.0], 1.0, [[1.0, 2.0]]])
def test_inputs_must_be_as_many_as_the_weights(inputs):
    with pytest.raises(ValueError, match="this neuron has 2 inputs"):
        Neuron([2.0, -3.0]).forward(inputs)


@pytest.mark.parametrize(("weights", "bias"), [(np.ones((2, 2)), 0.0), (1.0, 0.0), ([1.0], [1.0])])
def test_weights_have_one_axis_and_the_bias_none(weights, bias):
    with pytest.raises(ValueError, match="1-D array of weights"):
        Neuron(weights, bias)


def test_integer_arrays_are_no_weights():
    with pytest.raises(TypeError, match="floating, not int64"):
        Neuron(cr.array(np.array([2, -3])))


def test_gradients_to_the_second_order():
    report = cr.check_grads(
        lambda w, x, b: Neuron(w, b).forward(x), np.array([0.5, -1.0]), np.array([1.5, 0.25]), np.array(0.3), order=2
    )
    assert report.relative_error < 1e-7


@pytest.mark.parametrize(
    "twin_of", [copy.deepcopy, lambda n: pickle.loads(pickle.dumps(n))], ids=["deepcopy", "pickle"]
)
def test_copies_leave_the_circuit_behind(twin_of):
    neuron = Neuron([2.0, -3.0], -3.0)
    rate = neuron.forward([-1.0, -2.0])
    twin = twin_of(neuron)
    assert twin.cell_body_sum is None
    assert twin.firing_rate is None
    assert neuron.firing_rate is rate
    assert twin.forward([-1.0, -2.0]).item() == rate.item()
