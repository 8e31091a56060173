"""From a table to predictions: numbers, texts and missing cells become inputs, and the same is done to new rows.

    python table.py

The command does all this, too: chainrule train houses.csv --target price; chainrule predict runs/houses new.csv.
"""

import tempfile
from pathlib import Path

import numpy as np

import chainrule as cr

# ---- a table in a file, as tables are: of each tenth house nobody knows how large it is
rng = np.random.default_rng(0)
town, garden = rng.choice(["Bath", "York", "Leeds"], 600), rng.random(600) < 0.5
size = rng.uniform(40, 200, 600)
price = 2.5 * size + 80 * (town == "Bath") + 0.4 * size * garden + 10 * rng.standard_normal(600)
sizes = np.where(np.arange(600) % 10 == 0, "", size.round(1).astype(str))
lines = [f"{s},{t},{str(g).lower()},{p:.1f}" for s, t, g, p in zip(sizes, town, garden, price, strict=True)]
file = Path(tempfile.mkdtemp()) / "houses.csv"
file.write_text("\n".join(["size,town,garden,price", *lines]))

# ---- a fifth of the rows is held out, and the encoder learns from the others alone
frame = cr.data.read_frame(file)
(rows, _), (held_out, _) = cr.data.split(np.arange(len(frame)), frame["price"].to_numpy())
encoder = cr.data.TableEncoder.fit(frame[rows], target="price")
print("a row becomes:", ", ".join(encoder.features))

train, test = encoder.dataset(frame[rows]), encoder.dataset(frame[held_out])
target = encoder.target  # what a net learns is standardised: mean 0, deviation 1

net = cr.nn.Sequential(cr.nn.Linear(len(encoder.features), 30, rng=0), cr.nn.ReLU(), cr.nn.Linear(30, 1, rng=1))
cr.training.fit(
    net,
    "mse",
    cr.optim.Adam(net.parameters(), lr=0.01),
    (train.inputs, target.learned(train.targets)),
    epochs=100,
)

known = frame[held_out]["size"].is_not_null().to_numpy()
errors = np.abs(target.predicted(net(test.inputs).value) - test.targets)
print(f"prices go from {price.min():.0f} to {price.max():.0f}")
print(f"where the size is known, held-out prices are met within 15: {errors[known].mean() < 15}")
print(f"where it is missing, the net knows less: {errors[~known].mean() > 2 * errors[known].mean()}")

# ---- new rows: columns in any order, a town that was not there before
new = file.with_name("new.csv")
new.write_text("town,garden,size\nBath,true,100\nLeeds,false,100\nOxford,false,\n")
inputs = encoder.inputs(cr.data.read_frame(new, encoder.texts))
dear, cheap, _ = target.predicted(net(inputs).value)
print(f"a house in Bath with a garden is dearer than the same in Leeds without: {dear > cheap + 80}")
