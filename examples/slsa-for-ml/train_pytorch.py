"""Trains a small network on CIFAR10 with PyTorch, and saves it in one of its formats."""

import argparse
import json

import cifar10
import torch
from torch import nn

MODELS = ["pytorch_model.pth", "pytorch_full_model.pth", "pytorch_jitted_model.pt", "model.safetensors"]


def network() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(3, 16, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(32 * 6 * 6, 64),
        nn.ReLU(),
        nn.Linear(64, len(cifar10.CLASSES)),
    )


def save(model: nn.Module, path) -> None:
    if path.name == "pytorch_model.pth":
        torch.save(model.state_dict(), path)
    elif path.name == "pytorch_full_model.pth":
        torch.save(model, path)
    elif path.name == "pytorch_jitted_model.pt":
        torch.jit.script(model).save(str(path))
    else:
        # Through NumPy: this works with every version of PyTorch.
        from safetensors.numpy import save_file

        save_file({name: tensor.numpy() for name, tensor in model.state_dict().items()}, path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    cifar10.add_arguments(parser, MODELS)
    arguments = parser.parse_args()

    torch.manual_seed(arguments.seed)
    (images, labels), (test_images, test_labels) = cifar10.prepare(arguments)

    model = network()
    optimizer = torch.optim.Adam(model.parameters(), lr=arguments.learning_rate)
    measure = nn.CrossEntropyLoss()
    for batch, expected in cifar10.batches(images, labels, arguments):
        optimizer.zero_grad()
        measure(model(torch.from_numpy(batch)), torch.from_numpy(expected)).backward()
        optimizer.step()

    model.eval()
    with torch.no_grad():
        found = model(torch.from_numpy(test_images))
        expected = torch.from_numpy(test_labels)
        loss = measure(found, expected).item()
        accuracy = (found.argmax(1) == expected).float().mean().item()

    save(model, arguments.out / arguments.model)
    metrics = {"framework": f"torch {torch.__version__}", "steps": arguments.steps, "loss": loss, "accuracy": accuracy}
    (arguments.out / "metrics.json").write_text(json.dumps(metrics, indent=2) + "\n")
    print(f"{arguments.model}: accuracy {accuracy:.3f} after {arguments.steps} steps")


if __name__ == "__main__":
    main()
