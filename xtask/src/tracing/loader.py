"""Makes a folder of JPEGs, or loads one with two workers as a training's data loader does."""

import os
import random
import shutil
import sys

from PIL import Image

WORKERS = 2
DIFFERENT = 64


def jpeg(path, width, height, size):
    """A picture as smooth as photographs are, at the quality whose file is about `size` bytes long."""
    coarse = Image.frombytes("RGB", (width // 8, height // 8), random.randbytes(width // 8 * (height // 8) * 3))
    picture = coarse.resize((width, height), Image.Resampling.BICUBIC)
    grain = Image.frombytes("RGB", (width, height), random.randbytes(width * height * 3))
    picture = Image.blend(picture, grain, 0.06)
    qualities = range(20, 100)
    for quality in qualities:
        picture.save(path, quality=quality)
        if os.path.getsize(path) >= size:
            break


def make(folder, count, size):
    random.seed(1)
    os.makedirs(folder)
    width, height = (640, 480) if size > 20_000 else (96, 72)
    for index in range(count):
        path = os.path.join(folder, f"{index:06}.jpg")
        if index < DIFFERENT:
            jpeg(path, width, height, size)
        else:
            shutil.copyfile(os.path.join(folder, f"{index % DIFFERENT:06}.jpg"), path)


def decode(path):
    with Image.open(path) as image:
        return image.convert("RGB").resize((224, 224)).tobytes()[0]


def read(path):
    with open(path, "rb") as file:
        return file.read()[0]


def load(one, folder, output):
    paths = sorted(os.path.join(folder, name) for name in os.listdir(folder))
    workers = []
    for worker in range(WORKERS):
        child = os.fork()
        if child == 0:
            for path in paths[worker::WORKERS]:
                one(path)
            os._exit(0)
        workers.append(child)
    if any(os.waitpid(worker, 0)[1] for worker in workers):
        sys.exit("a worker failed")
    with open(output, "wb") as model:
        model.write(os.urandom(64))


if __name__ == "__main__":
    what, *arguments = sys.argv[1:]
    if what == "make":
        make(arguments[0], int(arguments[1]), int(arguments[2]))
    else:
        load({"decode": decode, "read": read}[what], *arguments)
