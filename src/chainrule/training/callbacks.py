"""What is done while a net is trained: callbacks, those that come with the house and the base of your own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from numpy.typing import NDArray

from chainrule.training.history import Record

if TYPE_CHECKING:
    from chainrule.training.run import Run


class Callback:
    """What is called while a net is trained. Override what you need; ``run`` is the fit under way.

    Steps come in pieces of about 50 ms. Where an epoch is shorter, there are a few pieces in it.

    >>> import numpy as np, chainrule as cr
    >>> class Tell(cr.training.Callback):
    ...     def on_epoch(self, run, record):
    ...         print(f"epoch {run.epoch}: loss {record['loss']:.2f}")
    ...         if record["loss"] < 0.2:
    ...             run.stop()
    >>> net = cr.nn.Linear(1, 1, scale=0.0)
    >>> x = np.array([[1.0], [2.0]])
    >>> optimizer = cr.optim.SGD(net.parameters(), lr=0.1)
    >>> history = cr.training.fit(net, "mse", optimizer, (x, 3 * x), epochs=9, compiled=False, callbacks=[Tell()])
    epoch 1: loss 22.50
    epoch 2: loss 2.38
    epoch 3: loss 0.39
    epoch 4: loss 0.19
    """

    def on_start(self, run: Run) -> None:
        """The run begins."""

    def on_steps(self, run: Run, losses: NDArray[Any]) -> None:
        """Some more steps of the epoch are done; ``losses`` are theirs."""

    def on_epoch(self, run: Run, record: Record) -> None:
        """An epoch is complete; ``record`` is the last one of the history."""

    def on_end(self, run: Run) -> None:
        """The run is over, perhaps because of ``run.error``."""
