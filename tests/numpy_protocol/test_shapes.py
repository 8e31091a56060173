"""Joining arrays: what a dtype may be cast to, as in NumPy."""

import numpy as np
import pytest

import chainrule as cr

JOIN = {
    "concatenate": np.concatenate,
    "stack": np.stack,
    "vstack": np.vstack,
    "hstack": np.hstack,
}


@pytest.mark.parametrize("name", JOIN)
def test_a_cast_that_loses_what_comes_after_the_point_is_refused_unless_asked_for(name):
    join, plain = JOIN[name], np.array([1.5, 2.5])
    x = cr.array(plain)
    for values in (plain, x):
        with pytest.raises(TypeError, match="annot cast"):
            join((values, plain), dtype=int)
    whole = join((x, plain), dtype=int, casting="unsafe")
    assert not whole.live
    np.testing.assert_array_equal(whole.value, join((plain, plain), dtype=int, casting="unsafe"))
    small = join((x, plain), dtype=np.float32)
    assert small.live
    assert small.dtype == np.float32


def test_vsplit_needs_rows():
    with pytest.raises(ValueError, match=r"not shape \(4,\)"):
        np.vsplit(cr.array(np.ones(4)), 2)
