"""CIFAR10's binary version: reading it, fetching it, and writing data that looks like it.

A file holds records of 3,073 bytes: the label, then 1,024 bytes each of red, green and blue, row by row.
"""

import hashlib
import tarfile
import tempfile
import urllib.request
from pathlib import Path

import numpy as np

FOLDER = "cifar-10-batches-bin"
TRAINING = [f"data_batch_{number}.bin" for number in range(1, 6)]
TEST = "test_batch.bin"
CLASSES = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
RECORD_BYTES = 1 + 3 * 32 * 32

ARCHIVE = "https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz"
ARCHIVE_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"


def read(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Reads a file: images as floats from 0 to 1, shaped (N, 3, 32, 32), and labels from 0 to 9."""
    data = np.fromfile(path, dtype=np.uint8)
    if data.size == 0 or data.size % RECORD_BYTES:
        raise ValueError(f"{path}: expected records of {RECORD_BYTES} bytes, found {data.size} bytes")
    records = data.reshape(-1, RECORD_BYTES)
    labels = records[:, 0].astype(np.int64)
    if labels.max() >= len(CLASSES):
        raise ValueError(f"{path}: expected labels from 0 to 9, found {labels.max()}")
    images = records[:, 1:].reshape(-1, 3, 32, 32).astype(np.float32) / 255
    return images, labels


def load(folder: Path) -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Reads the training data and the test data below `folder`."""
    batches = folder / FOLDER
    parts = [read(batches / name) for name in TRAINING]
    images, labels = zip(*parts)
    return (np.concatenate(images), np.concatenate(labels)), read(batches / TEST)


def download(folder: Path) -> None:
    """Fetches the published archive, and unpacks it if it is the one that is expected."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as temporary:
        archive = Path(temporary) / "archive.tar.gz"
        urllib.request.urlretrieve(ARCHIVE, archive)
        found = hashlib.sha256(archive.read_bytes()).hexdigest()
        if found != ARCHIVE_SHA256:
            raise ValueError(f"{ARCHIVE}: expected SHA-256 {ARCHIVE_SHA256}, found {found}")
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")


def synthesize(folder: Path, seed: int, per_file: int = 200) -> None:
    """Writes files of the same names and layout. Each class has a colour of its own, so that there is something to learn."""
    random = np.random.default_rng(seed)
    colours = np.random.default_rng(0).integers(40, 216, size=(len(CLASSES), 3))
    batches = folder / FOLDER
    batches.mkdir(parents=True, exist_ok=True)
    for name in [*TRAINING, TEST]:
        labels = random.integers(0, len(CLASSES), size=per_file, dtype=np.uint8)
        noise = random.integers(-40, 40, size=(per_file, 3, 1024))
        pixels = (colours[labels][:, :, None] + noise).astype(np.uint8).reshape(per_file, -1)
        np.concatenate([labels[:, None], pixels], axis=1).tofile(batches / name)
    (batches / "batches.meta.txt").write_text("\n".join(CLASSES) + "\n\n")


def add_arguments(parser, models: list[str]) -> None:
    """Adds what both training scripts understand."""
    parser.add_argument("--model", required=True, choices=models, help="which file or folder to write")
    parser.add_argument("--data", type=Path, default=Path("data"), help=f"the folder that {FOLDER} is in")
    parser.add_argument("--out", type=Path, default=Path("."), help="where to write the model and metrics.json")
    parser.add_argument("--steps", type=int, default=2000)
    parser.add_argument("--batch-size", type=int, default=64)
    parser.add_argument("--learning-rate", type=float, default=0.001)
    parser.add_argument("--seed", type=int, default=1)
    source = parser.add_mutually_exclusive_group()
    source.add_argument("--download", action="store_true", help="fetch CIFAR10 first, if it is not there")
    source.add_argument("--synthetic", action="store_true", help="write data in CIFAR10's layout first, if there is none")


def prepare(arguments):
    """Sees to it that there is data as the arguments ask, and reads it."""
    present = (arguments.data / FOLDER / TEST).is_file()
    if arguments.download and not present:
        download(arguments.data)
    if arguments.synthetic and not present:
        synthesize(arguments.data, arguments.seed)
    arguments.out.mkdir(parents=True, exist_ok=True)
    return load(arguments.data)


def batches(images: np.ndarray, labels: np.ndarray, arguments):
    """Yields as many random batches as there are steps."""
    random = np.random.default_rng(arguments.seed)
    for _ in range(arguments.steps):
        chosen = random.integers(0, len(labels), size=arguments.batch_size)
        yield images[chosen], labels[chosen]


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description="Writes data in CIFAR10's layout, or fetches CIFAR10.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--download", action="store_true")
    given = parser.parse_args()
    download(given.folder) if given.download else synthesize(given.folder, given.seed)
