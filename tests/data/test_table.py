"""Tables become numbers as their training data say: every kind of column, of frame and of file; what is refused."""

import datetime
import importlib
import json
import re
import sys

import numpy as np
import pandas
import polars
import pyarrow
import pytest

from chainrule import data
from chainrule.data import TableEncoder

COLUMNS = {
    "age": [20.0, 40.0, None, 60.0],
    "rooms": [1, 2, 3, 2],
    "garden": [True, None, False, True],
    "town": ["York", " Bath ", None, "York"],
    "price": [1.5, 2.5, 3.5, 2.5],
}
FRAMES = {
    "polars": lambda columns: polars.DataFrame(columns),
    "lazy": lambda columns: polars.LazyFrame(columns),
    "pandas": lambda columns: pandas.DataFrame(columns),
    "nullable": lambda columns: pandas.DataFrame(columns).convert_dtypes(),
    "arrow": lambda columns: pyarrow.table(columns),
}
INPUTS = np.array(
    [
        # age, is missing, rooms, garden, is missing, Bath, York, is missing
        [-np.sqrt(1.5), 0, -np.sqrt(2), np.sqrt(0.5), 0, 0, 1, 0],
        [0, 0, 0, 0, 1, 1, 0, 0],
        [0, 1, np.sqrt(2), -np.sqrt(2), 0, 0, 0, 1],
        [np.sqrt(1.5), 0, 0, np.sqrt(0.5), 0, 0, 1, 0],
    ]
)


@pytest.mark.parametrize("kind", FRAMES)
def test_every_kind_of_column_in_every_kind_of_frame(kind):
    frame = FRAMES[kind](COLUMNS)
    encoder = TableEncoder.fit(frame, "price")
    assert encoder.features == (
        *("age", "age is missing", "rooms", "garden", "garden is missing"),
        *("town = Bath", "town = York", "town is missing"),
    )
    houses = encoder.dataset(frame, "houses")
    assert houses.inputs.dtype == houses.targets.dtype == np.float32
    np.testing.assert_allclose(houses.inputs, INPUTS, rtol=1e-6)
    np.testing.assert_array_equal(houses.targets, COLUMNS["price"])
    assert repr(houses) == "Dataset(4 examples of 8 features and 1 number to predict: houses)"


@pytest.mark.parametrize("kind", FRAMES)
def test_other_data_are_encoded_as_the_training_data_were(kind):
    encoder = TableEncoder.fit(polars.DataFrame(COLUMNS), "price")
    other = {
        "town": ["Leeds", "Bath"],
        "rooms": [4, None],
        "age": [60, 0],
        "garden": [False, True],
        "extra": ["x", "y"],
    }
    found = encoder.inputs(FRAMES[kind](other))
    scale = np.sqrt(0.5)
    expected = [
        [np.sqrt(1.5), 0, 2 / scale, -np.sqrt(2), 0, 0, 0, 0],  # a town that was not there
        [-40 / np.sqrt(800 / 3), 0, 0, np.sqrt(0.5), 0, 1, 0, 0],  # no number of rooms, which nobody lacked: the mean
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_an_encoder_survives_as_json():
    for target in ("price", "town", None):
        columns = COLUMNS | {"town": ["York", "Bath", "Bath", "York"]}
        encoder = TableEncoder.fit(polars.DataFrame(columns), target)
        again = TableEncoder.from_json(encoder.to_json())
        assert again == encoder
        np.testing.assert_array_equal(
            again.inputs(polars.DataFrame(columns)), encoder.inputs(polars.DataFrame(columns))
        )


@pytest.mark.parametrize(
    "change",
    [
        lambda content: content[: len(content) // 2],
        lambda content: content.replace("table 1", "table 2"),
        lambda content: content.replace('"mean"', '"median"'),
        lambda content: content.replace('"category"', '"colour"'),
        lambda content: "[]",
        lambda content: "{}",
        lambda content: json.dumps({**json.loads(content), "target": {"classes": []}}),
    ],
)
def test_json_of_anything_else_is_refused(change):
    text = TableEncoder.fit(polars.DataFrame(COLUMNS), "price").to_json()
    with pytest.raises(ValueError, match="this is no encoder of tables: "):
        TableEncoder.from_json(change(text))


# ---- the target


@pytest.mark.parametrize(
    ("values", "classes", "targets"),
    [
        (["no", "yes", " no"], ("no", "yes"), [0, 1, 0]),
        ([True, False, True], ("False", "True"), [1, 0, 1]),
        ([10, 9, 10], ("9", "10"), [1, 0, 1]),
        ([2.0, 1.0, 1.0], ("1", "2"), [1, 0, 0]),
        ([0.5, 1.0, 1.0], (), [0.5, 1.0, 1.0]),
        (list(range(20)), tuple(map(str, range(20))), list(range(20))),
        (list(range(21)), (), list(range(21))),
    ],
)
@pytest.mark.parametrize("kind", FRAMES)
def test_what_the_target_is_by_its_values(kind, values, classes, targets):
    frame = FRAMES[kind]({"x": np.arange(len(values)), "y": values})
    encoder = TableEncoder.fit(frame, "y")
    assert encoder.target.classes == classes
    found = encoder.targets(frame)
    assert found.dtype == (np.int64 if classes else np.float32)
    np.testing.assert_array_equal(found, targets)


def test_numbers_to_predict_are_standardised_for_the_net_and_told_in_their_unit():
    frame = polars.DataFrame({"x": [1, 2, 3], "y": [100.5, 200.5, 600.5]})
    target = TableEncoder.fit(frame, "y").target
    learned = target.learned(TableEncoder.fit(frame, "y").targets(frame))
    assert (learned.shape, learned.dtype) == ((3, 1), np.float32)
    np.testing.assert_allclose([learned.mean(), learned.std()], [0, 1], atol=1e-6)
    np.testing.assert_allclose(target.predicted(learned), frame["y"], rtol=1e-6)


def test_what_the_target_is_may_be_said():
    frame = polars.DataFrame({"x": range(40), "few": [1, 2] * 20, "many": range(40), "text": ["1", "2.5"] * 20})
    assert TableEncoder.fit(frame, "few", task="numbers").target.classes == ()
    assert len(TableEncoder.fit(frame, "many", task="classes").target.classes) == 40
    np.testing.assert_array_equal(TableEncoder.fit(frame, "text", task="numbers").targets(frame), [1, 2.5] * 20)
    with pytest.raises(ValueError, match="task is 'classes' or 'numbers', not 'guess'"):
        TableEncoder.fit(frame, "few", task="guess")


# ---- what is refused


@pytest.mark.parametrize(
    ("columns", "options", "message"),
    [
        ({"x": [1, 2], "y": [0.5, 1]}, {"target": "z"}, "no column 'z': there are x, y"),
        ({"x": [1, 2], "income": [0.5, 1]}, {"target": "imcome"}, "no column 'imcome': did you mean 'income'?"),
        ({"x": [1, 2], "y": [0.5, 1]}, {"target": "y", "drop": ["w"]}, "no column 'w'"),
        ({"x": [1, 2], "y": [0.5, 1]}, {"target": "y", "drop": ["x"]}, "no column is left"),
        ({"x": [1, 2, 3], "y": [0.5, None, 1]}, {"target": "y"}, "missing in 1 of 3 rows, the first is row 2"),
        ({"x": [1, 2, 3], "y": ["a", "b", " "]}, {"target": "y"}, "missing in 1 of 3 rows, the first is row 3"),
        ({"x": [1, 2], "y": ["a", "a"]}, {"target": "y"}, "column 'y' is always 'a'"),
        ({"x": [1, 2], "y": ["a", "b"]}, {"target": "y", "task": "numbers"}, "'a' in row 1 is none"),
        (
            {"": [0, 1], "x": [1, 2], "y": [0.5, 1]},
            {"target": "y"},
            "a column without a name, often the number of the row: drop ''",
        ),
        ({"x": [1.0, float("inf")], "y": [0.5, 1]}, {"target": "y"}, "column 'x' is infinite in row 2"),
        ({"x": [1.0, -1e300], "y": [0.5, 1]}, {"target": "y"}, "'x' is -1e+300, too large for float32, in row 2"),
        ({"x": [1, 2], "y": [0.5, 0.5]}, {"target": "y"}, "column 'y' is always 0.5: there is nothing to learn"),
        (
            {"x": [1, 2], "y": [0.5, 1]},
            {"target": "y", "drop": ["y"]},
            "'y' is to be predicted, and cannot be left out",
        ),
        ({"x": [None, None], "y": [0.5, 1]}, {"target": "y"}, "column 'x' holds nothing: drop 'x'"),
        ({"x": [np.nan, np.nan], "y": [0.5, 1]}, {"target": "y"}, "column 'x' holds nothing: drop 'x'"),
        ({"x": [" ", ""], "y": [0.5, 1]}, {"target": "y"}, "column 'x' holds nothing: drop 'x'"),
        ({"x": [[1], [2]], "y": [0.5, 1]}, {"target": "y"}, "column 'x' holds several things a cell"),
        (
            {"when": [datetime.datetime(2020, 1, 1)] * 2, "x": ["a", "b"], "y": [0.5, 1]},
            {"target": "y", "most_categories": 1},
            "column 'when' holds times, make numbers of them; column 'x' holds 2 different texts: drop 'when', 'x'",
        ),
        ({"x": [], "y": []}, {"target": "y"}, "the table has no rows"),
    ],
)
def test_what_cannot_be_learned_from_is_named(columns, options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        TableEncoder.fit(polars.DataFrame(columns), **options)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"agee": [1.0], "town": ["York"]}, "no column 'age': did you mean 'agee'?"),
        ({"age": ["old"], "town": ["York"]}, "column 'age' holds numbers, and 'old' in row 1 is none"),
        ({"age": [1.0, -np.inf], "town": ["York", "York"]}, "column 'age' is infinite in row 2"),
    ],
)
def test_other_data_that_do_not_fit_are_refused(columns, message):
    encoder = TableEncoder.fit(polars.DataFrame(COLUMNS), "price", drop=["rooms", "garden"])
    with pytest.raises(ValueError, match=re.escape(message)):
        encoder.inputs(polars.DataFrame(columns))


def test_targets_that_do_not_fit_are_refused():
    encoder = TableEncoder.fit(polars.DataFrame({"x": [1, 2], "y": ["no", "yes"]}), "y")
    with pytest.raises(ValueError, match="column 'y' holds 'perhaps', and the classes learned are no, yes"):
        encoder.targets(polars.DataFrame({"y": ["no", "perhaps"]}))
    with pytest.raises(ValueError, match="without a target"):
        TableEncoder.fit(polars.DataFrame({"x": [1, 2]})).targets(polars.DataFrame({"x": [1]}))


def test_what_is_no_table_is_refused():
    with pytest.raises(TypeError, match=r"a table is a data frame \(pandas, .*\), not list"):
        TableEncoder.fit([1, 2], "x")


# ---- files

CSV = 'age,town,zip,ok,score\n 20,York,01,true,1.5\n?,"Bath, UK",02,FALSE,2\n60,York,1A,true,NA\n'


def kinds(frame):
    return {name: str(dtype) for name, dtype in frame.schema.items()}


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_csv_files(tmp_path, separator):
    text = CSV.replace("Bath, UK", "\0").replace(",", separator).replace("\0", "Bath, UK")
    (tmp_path / "houses.csv").write_text("\ufeff" + text)  # with the mark that some programs write before everything
    frame = data.read_frame(tmp_path / "houses.csv")
    assert kinds(frame) == {"age": "Int64", "town": "String", "zip": "String", "ok": "Boolean", "score": "Float64"}
    assert frame["age"].to_list() == [20, None, 60]
    assert frame["town"].to_list() == ["York", "Bath, UK", "York"]
    assert frame["score"].to_list() == [1.5, 2.0, None]


def test_decimal_commas_where_semicolons_separate(tmp_path):
    (tmp_path / "a.csv").write_text("x;y;name\n1,5;2;a,b\n-0,25;3;c\n")
    frame = data.read_frame(tmp_path / "a.csv")
    assert frame["x"].to_list() == [1.5, -0.25]
    assert kinds(frame) == {"x": "Float64", "y": "Int64", "name": "String"}
    assert frame["name"].to_list() == ["a,b", "c"]
    (tmp_path / "b.csv").write_text('x,y\n"1,5",2\n')
    assert data.read_frame(tmp_path / "b.csv")["x"].to_list() == ["1,5"]


@pytest.mark.parametrize("end", ["", "\n", "\n\n", "\r\n\r\n", "\n  \n\n", "\n,\n"])
def test_what_spreadsheets_leave_at_the_end_is_nothing(tmp_path, end):
    (tmp_path / "a.csv").write_bytes(f"x,y,\n1,2,\n,,\n3,4,{end}".encode())
    frame = data.read_frame(tmp_path / "a.csv")
    assert frame.columns == ["x", "y"]
    assert frame.rows() == [(1, 2), (None, None), (3, 4)]  # a row within is one, in which all is missing


def test_parquet_files(tmp_path):
    polars.DataFrame(COLUMNS).write_parquet(tmp_path / "houses.parquet")
    houses = data.read_table(tmp_path / "houses.parquet", "price")
    np.testing.assert_allclose(houses.inputs, INPUTS, rtol=1e-6)
    assert houses.description == "houses.parquet"


def test_texts_that_look_like_numbers_in_later_files_stay_texts(tmp_path):
    (tmp_path / "train.csv").write_text("code,y\n01,a1\n1A,02\n")
    (tmp_path / "later.csv").write_text("code,y\n01,02\n")
    train = data.read_frame(tmp_path / "train.csv")
    encoder = TableEncoder.fit(train, "y")
    later = data.read_frame(tmp_path / "later.csv", encoder.texts)
    np.testing.assert_array_equal(encoder.inputs(later), [[1, 0]])
    np.testing.assert_array_equal(encoder.targets(later), [0])
    again = data.read_table(tmp_path / "later.csv", "y", encoder=encoder)
    np.testing.assert_array_equal(again.inputs, [[1, 0]])


@pytest.mark.parametrize(
    "values",
    ["true,false,true,false", "True,False,True,False", "1,0,1,0", "1.0,2.0,1.0,2.0", "no,yes,no,yes", "01,1A,01,1A"],
)
def test_a_target_means_the_same_in_every_file(tmp_path, values):
    values = values.split(",")
    (tmp_path / "train.csv").write_text("x,y\n" + "".join(f"{k},{value}\n" for k, value in enumerate(values)))
    (tmp_path / "later.csv").write_text(f"x,y\n7,{values[0]}\n")
    train = data.read_frame(tmp_path / "train.csv")
    encoder = TableEncoder.fit(train, "y", task="classes")
    later = data.read_frame(tmp_path / "later.csv", encoder.texts)
    assert encoder.targets(later).tolist() == encoder.targets(train)[:1].tolist()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "cannot be read as a table: "),
        (b"a,b\n1,2,3\n", "cannot be read as a table: "),
        (b"a,b\n\xff\xfe,1\n", "cannot be read as a table: "),
        ("a,b\n1,2\n".encode("utf-16"), "it is written in UTF-16; save it in UTF-8"),
        (b"a,a \n1,2\n", "cannot be read as a table: "),
        (b"a,b\n", "the table has no rows"),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path, content, message):
    (tmp_path / "bad.csv").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        data.read_table(tmp_path / "bad.csv", "a")


def test_a_damaged_parquet_file_is_refused(tmp_path):
    polars.DataFrame(COLUMNS).write_parquet(tmp_path / "houses.parquet")
    whole = (tmp_path / "houses.parquet").read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"text"):
        (tmp_path / "houses.parquet").write_bytes(content)
        with pytest.raises(ValueError, match=r"houses\.parquet cannot be read as a table: "):
            data.read_frame(tmp_path / "houses.parquet")


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_a_file_that_is_not_there(tmp_path, name):
    with pytest.raises(FileNotFoundError, match="none"):
        data.read_frame(tmp_path / name)


@pytest.mark.parametrize("library", ["narwhals", "polars"])
def test_a_missing_library_is_named_with_its_extra(library, monkeypatch, tmp_path):
    (tmp_path / "a.csv").write_text("x,y\n1,0\n2,1\n")

    def missing(name):
        if name == library:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return importlib.import_module(name)

    monkeypatch.setattr("chainrule.data.frames.import_module", missing)
    with pytest.raises(ModuleNotFoundError, match=rf"with {library}, .* pip install 'chainrule\[data\]'"):
        data.read_table(tmp_path / "a.csv", "y")


@pytest.mark.parametrize("load", [data.adult, data.california])
def test_larger_tables_that_some_have(load):
    try:
        table = load()
    except ModuleNotFoundError as error:
        pytest.skip(str(error))
    shape, classes = {"adult": ((48842, 108), 2), "california": ((20640, 8), 0)}[load.__name__]
    assert table.inputs.shape == shape
    assert len(table.classes) == classes
    assert "torch" not in sys.modules


def test_columns_without_texts_for_names_are_refused():
    with pytest.raises(ValueError, match="columns are named by texts, not 0"):
        data.read_table(pandas.DataFrame(np.eye(3)), "y")
