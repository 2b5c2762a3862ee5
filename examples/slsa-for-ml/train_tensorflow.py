"""Trains a small network on CIFAR10 with Keras and TensorFlow, and saves it in one of its formats."""

import argparse
import json
import os

import cifar10

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras  # noqa: E402
import tensorflow as tf  # noqa: E402

MODELS = ["tensorflow_model.keras", "tensorflow_hdf5_model.h5", "tensorflow_hdf5.weights.h5", "saved_model"]


def network() -> keras.Model:
    layers = keras.layers
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Conv2D(16, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Conv2D(32, 3, activation="relu"),
            layers.MaxPooling2D(),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dense(len(cifar10.CLASSES)),
        ]
    )


def save(model: keras.Model, path) -> None:
    if path.name == "saved_model":
        model.export(path, verbose=False)
    elif path.name.endswith(".weights.h5"):
        model.save_weights(path)
    else:
        model.save(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    cifar10.add_arguments(parser, MODELS)
    arguments = parser.parse_args()

    keras.utils.set_random_seed(arguments.seed)
    (images, labels), (test_images, test_labels) = cifar10.prepare(arguments)
    channels_last = lambda batch: batch.transpose(0, 2, 3, 1)  # noqa: E731

    model = network()
    model.compile(
        optimizer=keras.optimizers.Adam(arguments.learning_rate),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    for batch, expected in cifar10.batches(images, labels, arguments):
        model.train_on_batch(channels_last(batch), expected)
    loss, accuracy = model.evaluate(channels_last(test_images), test_labels, verbose=0)

    save(model, arguments.out / arguments.model)
    metrics = {"framework": f"tensorflow {tf.__version__}", "steps": arguments.steps, "loss": loss, "accuracy": accuracy}
    (arguments.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"{arguments.model}: accuracy {accuracy:.3f} after {arguments.steps} steps")


if __name__ == "__main__":
    main()
