"""Every script of examples/ runs, without a screen, and prints what it promises."""

import runpy
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"
SCRIPTS = sorted(str(path.relative_to(EXAMPLES)) for path in EXAMPLES.rglob("*.py"))

PROMISES = {
    "capacity.py": [
        "160 noisy points of two moons",
        "20 neurons without L2 fit these points best: True",
        "With a little L2 they do better on unseen ones: True",
        "regions drawn in",
    ],
    "compiled/01_a_compiled_training_step.py": [
        "steps a second",
        "losses agree: True",
        "test accuracy above 95%: True",
        "2 Programs: one for batches of 32, one for the last of 30",
    ],
    "compiled/02_looking_into_it.py": [
        "h = np.tanh(",
        "dL_dW1 = x.T @",
        "W1_new = W1 - ",
        "h = np.tanh(x @ W1 + b1)   ",  # a line of explain
        "its gradient dL/dh of shape (64, 100)",
        "the kernels are drawn in",
        "the value of softmax_cross_entropy is not finite",
        "the weights are those before that step: True",
    ],
    "compiled/03_a_formula_of_your_own.py": [
        "58,736 pixels",
        "found: True",
        "centre 0.610, scale 0.196",
        "the gradient is good",
        "= np.tanh(z)",
        "Stay with Arrays (np.where instead of if",
        "np.where in place of if: [-1.0, 0.0]",
    ],
    "compiled/04_a_loop.py": [
        "test accuracy above 93%: True",
        "10,000 numbers: 0.9901, 3 gates",
    ],
    "lecture/01_chain_rule.py": [
        "q = x + y = 3,  f = q * z = -12",
        "by hand:  df/dq = -4,  df/dz = 3,  df/dx = -4,  df/dy = -4",
        "backward: df/dq = -4,  df/dz = 3,  df/dx = -4,  df/dy = -4",
        "x * y = -12; its gradient is (-3, 4)",
        "the circuit is drawn in",
    ],
    "lecture/02_gates_and_local_gradients.py": [
        "s =  1.00",
        "f =  0.73   df/dd = -0.53   (upstream: None)",
        "df/dx0 =  2.00 *  0.20 =  0.39",
        "df/dx1 = -3.00 *  0.20 = -0.59",
        "df/dw1 = -2.00 *  0.20 = -0.39",
        "df/ds = (1 - 0.73) * 0.73 = 0.20",
        "(x*y + max(z, w)) * 2 = -20",
        "2 to z and 0 to w",
        "x gets y * 2 = -8, y gets x * 2 = 6",
    ],
    "lecture/03_branches_add.py": [
        "3 on one wire and 3 on the other make df/dx = 6",
        "= 1.55",
        "together df/dx = 2.060; backward() says 2.060",
        "together df/dy = 1.592; backward() says 1.592",
    ],
    "lecture/04_max_at_a_tie.py": [
        "x =  2.0, y =  2.0      1      1   a tie: both",
        "np.maximum(x, x)               2.0",
        "np.maximum(0.1 * x, x)         1.1",
        "[0.0, 0.5, 0.5]",
        "a tie in maximum",
    ],
    "lecture/05_a_gate_of_your_own.py": [
        "z = -12, dz/dx = -3, dz/dy = 4",
        "x * x * x = 64, its derivative 3 * x^2 = 48",
        "(order 2): good",
        "[[-6.0, 8.0], [8.0, 0.0]]",
        "a wrong backward is found",
    ],
    "lecture/06_jacobians.py": [
        "its Jacobian, diagonal: True",
        "-> [4.0, 0.0, 5.0, 0.0]",
        "gradient of the scores: [0.2, -0.7, 0.5]",
        "dW = X^T dY has shape (10, 3), and agrees: True",
        "dX = dY W^T has shape (5, 10), and agrees: True",
    ],
    "lecture/07_only_parameters.py": [
        "dL/d(layers.0.weight) has shape (784, 100)",
        "dL/d(images) has shape (64, 784)",
        "ms without dL/d(images)",
    ],
    "lecture/08_gradient_descent.py": [
        "all examples in each step:  slope 2.99, height 0.49",
        "ten examples in each step:      slope 2.99, height 0.50",
        "<- too large: it climbs",
    ],
    "lecture/09_one_neuron.py": [
        "cell body sum 1.00, firing rate 0.73",
        "weights -0.20 and -0.39, bias 0.20",
        "inputs  0.39 and -0.59",
        "step   0: loss 0.693",
        "step 100: loss 0.003",
    ],
    "lecture/10_activation_functions.py": [
        "sigmoid:",
        "tanh:",
        "ReLU:",
        "leaky ReLU:",
        "maxout:",
        "is dead",
        "plotted in",
    ],
    "lecture/11_layers.py": [
        "6 neurons, 20 weights and 6 biases, 26 parameters",
        "9 neurons, 32 weights and 9 biases, 41 parameters",
        "the model computes the same: True",
        "equal one (8): largest difference",
        "are both linear",
        "it has nothing to say: []",
    ],
    "lecture/12_capacity_and_regularisation.py": ["training accuracy   test accuracy", "regions drawn in"],
    "lecture/13_two_layer_net_in_the_plane.py": ["100% of 27 points right", ":::::"],
    "lecture/14_case_study.py": [
        "log 3 = 1.10",
        "step     0: loss 1.10",
        "step   190: loss 0.79",
        "training accuracy 49.3%",
        "training accuracy 9",  # test_12 of tests/lecture has it closer
        "regions drawn in",
    ],
    "optimisers.py": [
        "SGD         after 117 steps",
        "L-BFGS      after   6 steps",
        "All the others are there before plain SGD: True",
        "paths drawn in",
    ],
    "table.py": [
        "a row becomes: size, size is missing, town = Bath, town = Leeds, town = York, garden",
        "where the size is known, held-out prices are met within 15: True",
        "where it is missing, the net knows less: True",
        "a house in Bath with a garden is dearer than the same in Leeds without: True",
    ],
}
PICTURES = {
    "capacity.py": "capacity.png",
    "optimisers.py": "optimisers.png",
    "compiled/02_looking_into_it.py": "kernels.svg",
    "lecture/01_chain_rule.py": "chain_rule.svg",
    "lecture/10_activation_functions.py": "activations.png",
    "lecture/12_capacity_and_regularisation.py": "capacity.png",
    "lecture/14_case_study.py": "case_study.png",
}


def regularisation_shows(printed):
    rows = [line.split() for line in printed.splitlines() if "%" in line]
    table = {(int(row[0]), float(row[1])): (float(row[2]), float(row[4])) for row in rows}
    assert table[20, 0.0][0] > table[3, 0.0][0] + 2  # more neurons fit more ...
    assert table[20, 0.01][1] > table[20, 0.0][1] + 2  # ... and regularisation makes that useful


NUMBERS = {"lecture/12_capacity_and_regularisation.py": regularisation_shows}


@pytest.fixture
def run(monkeypatch, tmp_path, capsys):
    def run(script):
        monkeypatch.setenv("MPLBACKEND", "Agg")
        monkeypatch.chdir(tmp_path)
        monkeypatch.setattr(sys, "argv", [script, str(tmp_path / "out")])
        runpy.run_path(str(EXAMPLES / script), run_name="__main__")
        return capsys.readouterr().out

    return run


def test_every_script_says_what_it_promises():
    assert sorted(PROMISES) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_it_runs_and_keeps_its_promises(script, run, tmp_path):
    printed = run(script)
    missing = [promise for promise in PROMISES[script] if promise not in printed]
    assert not missing, printed
    if script in NUMBERS:
        NUMBERS[script](printed)
    expected = [PICTURES[script]] if script in PICTURES else []
    drawn = list((tmp_path / "out").glob("*"))
    assert [path.name for path in drawn] == expected
    assert all(path.read_bytes().startswith((b"\x89PNG", b"<svg", b"<?xml")) for path in drawn)


def test_without_matplotlib_it_says_so_and_goes_on(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    printed = run("lecture/10_activation_functions.py")
    assert printed.endswith("no plot: matplotlib is not installed (pip install 'chainrule[plot]')\n")
    assert not list((tmp_path / "out").iterdir())


def test_the_scripts_are_a_page_at_most():
    for script in SCRIPTS:
        assert len((EXAMPLES / script).read_text().splitlines()) <= 85, script
