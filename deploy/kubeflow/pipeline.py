"""A Kubeflow pipeline that trains a model, says how it was made, and checks both before anything serves it.

`python pipeline.py` writes slsa_for_ml.yaml, which the KFP backend runs. The images are those of deploy/Dockerfile: name them
by digest.
"""

import argparse
import os

from kfp import compiler, dsl, kubernetes

DATASET = "https://www.cs.toronto.edu/~kriz/cifar.html"
NOWHERE = "registry.example.com/model-signing@sha256:" + "0" * 64
TRAIN_IMAGE = os.environ.get("TRAIN_IMAGE", NOWHERE)

# The user of both images.
USER = 65532

TRAIN = r"""
set -eu
model_type=$1 steps=$2 image=$3 model=$4 provenance=$5
case "$model_type" in
  tensorflow_*|saved_model) framework=tensorflow ;;
  *) framework=pytorch ;;
esac
cd /opt/slsa-for-ml
work=$(mktemp -d)
python cifar10.py "$work/data" --download
mkdir -p "$model" "$(dirname "$provenance")"
model-signing provenance run \
  --dataset "https://www.cs.toronto.edu/~kriz/cifar.html=$work/data" \
  --param "steps=$steps" --lock "requirements-$framework.txt" --image "$image" \
  --output "$model/$model_type" -o "$provenance" --sign key --private-key /signing/key.pem \
  -- python "train_$framework.py" --model "$model_type" --data "$work/data" --out "$model" --steps "$steps"
"""

VERIFY = r"""
set -eu
model_type=$1 steps=$2 dataset=$3 model=$4 provenance=$5
model-signing provenance verify "$model/$model_type" \
  --provenance-path "$provenance" --key /trust/training.pub \
  --expect-dataset "$dataset" --expect-param "steps=$steps"
"""


@dsl.container_component
def train(model_type: str, steps: int, model: dsl.Output[dsl.Model], provenance: dsl.Output[dsl.Artifact]):
    """Trains, and signs what the training was made of."""
    return dsl.ContainerSpec(
        image=TRAIN_IMAGE,
        # After the script's name, arguments are words: nothing of them becomes part of the script.
        command=["sh", "-c", TRAIN, "train"],
        args=[model_type, steps, TRAIN_IMAGE, model.path, provenance.path],
    )


@dsl.container_component
def verify(model_type: str, steps: int, model: dsl.Input[dsl.Model], provenance: dsl.Input[dsl.Artifact]):
    """Fails unless the model is the one that was trained, on this data and with these parameters."""
    return dsl.ContainerSpec(
        image=TRAIN_IMAGE,
        command=["sh", "-c", VERIFY, "verify"],
        args=[model_type, steps, DATASET, model.path, provenance.path],
    )


@dsl.pipeline(name="slsa-for-ml", description="Trains a model, and verifies how it was made")
def slsa_for_ml(model_type: str = "tensorflow_model.keras", steps: int = 2000):
    """What deploys the model comes after `check`."""
    trained = train(model_type=model_type, steps=steps)
    # A training that is found in the cache was made earlier: its provenance says when.
    trained.set_caching_options(False)
    kubernetes.use_secret_as_volume(trained, secret_name="training-key", mount_path="/signing")
    check = verify(
        model_type=model_type,
        steps=steps,
        model=trained.outputs["model"],
        provenance=trained.outputs["provenance"],
    )
    check.set_caching_options(False)
    kubernetes.use_config_map_as_volume(check, config_map_name="trust", mount_path="/trust")
    for task in (trained, check):
        kubernetes.set_security_context(task, run_as_user=USER, run_as_non_root=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--output", default="slsa_for_ml.yaml")
    compiler.Compiler().compile(slsa_for_ml, parser.parse_args().output)


if __name__ == "__main__":
    main()
