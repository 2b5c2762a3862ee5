#!/bin/sh
# Checks an image with a model in it, and the model, before a deployment:
#   verify.sh IMAGE@sha256:HEX PROJECT_URL SERVICE_ACCOUNT MODEL_TYPE
set -eu
image=$1 source=$2 account=$3 model_type=$4
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

gcloud artifacts docker images describe "$image" --show-provenance --format json > "$folder/build.json"
model-signing provenance verify "$image" --provenance-path "$folder/build.json" \
  --source-uri "$source" --builder-id https://cloudbuild.googleapis.com/GoogleHostedWorker --min-level 3

docker pull --quiet "$image"
# It has no command: one has to be named, and is not run.
container=$(docker create "$image" none)
docker cp --quiet "$container:/model" "$folder/model"
docker rm "$container" > /dev/null
model-signing provenance verify "$folder/model/$model_type" --provenance-path "$folder/model/provenance.sigstore.json" \
  --identity "$account" --identity-provider https://accounts.google.com \
  --expect-dataset https://www.cs.toronto.edu/~kriz/cifar.html --expect-param steps=2000
