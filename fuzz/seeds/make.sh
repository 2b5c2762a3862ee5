#!/usr/bin/env bash
# Makes the inputs that fuzzing starts from, with the `openssl` command line: certificates and a list of revoked ones, and
# timestamps of them. They are committed, so that a run needs no `openssl`; nothing depends on their dates.
set -euo pipefail
cd "$(dirname "$0")"
seeds=$PWD
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p "$seeds/certificate" "$seeds/timestamp"

key() { openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out "$1.key" 2>/dev/null; }
certify() { # name issuer extensions
    key "$1"
    openssl req -new -key "$1.key" -subj "/O=Example/CN=$1" -out "$1.csr"
    printf '%b' "$3" > extensions
    local by=(-CA "$2.pem" -CAkey "$2.key" -CAcreateserial)
    [ "$1" = "$2" ] && by=(-signkey "$1.key")
    openssl x509 -req -in "$1.csr" "${by[@]}" -days 36500 -extfile extensions -out "$1.pem" 2>/dev/null
}

certify root root 'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n'
certify issuer root 'basicConstraints=critical,CA:TRUE,pathlen:0\nkeyUsage=critical,keyCertSign,cRLSign
nameConstraints=critical,permitted;email:example.com,permitted;DNS:.example.com,excluded;IP:192.0.2.0/255.255.255.0
certificatePolicies=1.2.3.4\npolicyConstraints=requireExplicitPolicy:0\n'
certify signer issuer 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=codeSigning
subjectAltName=email:models@example.com,DNS:build.example.com,URI:https://example.com/\ncertificatePolicies=1.2.3.4\n'
certify authority root 'keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n'
cat signer.pem issuer.pem root.pem > "$seeds/certificate/chain.pem"
openssl x509 -in signer.pem -outform DER -out "$seeds/certificate/signer.der"

: > index.txt
echo 01 > number
printf '[ca]\ndefault_ca=list\n[list]\ndatabase=index.txt\ndefault_md=sha256\ndefault_crl_days=36500\ncrlnumber=number\n' > ca.cnf
openssl ca -config ca.cnf -revoke signer.pem -keyfile issuer.key -cert issuer.pem -crl_reason keyCompromise 2>/dev/null
openssl ca -config ca.cnf -gencrl -keyfile issuer.key -cert issuer.pem -out list.pem 2>/dev/null
openssl crl -in list.pem -outform DER -out "$seeds/certificate/list.der"

cat > ts.cnf <<'END'
[ts]
serial=number
signer_cert=authority.pem
signer_key=authority.key
certs=root.pem
signer_digest=sha256
default_policy=1.2.3.4
digests=sha256
accuracy=secs:1,millisecs:500
clock_precision_digits=3
ordering=yes
tsa_name=yes
ess_cert_id_alg=sha256
END
printf signature > message
openssl ts -query -data message -sha256 -cert -out query 2>/dev/null
openssl ts -reply -config ts.cnf -section ts -queryfile query -out "$seeds/timestamp/reply.der" 2>/dev/null
openssl ts -reply -in "$seeds/timestamp/reply.der" -token_out -out "$seeds/timestamp/token.der" 2>/dev/null

# Small model files, which the frameworks wrote.
formats=$seeds/../../testdata/formats
for target in hdf5 safetensors gguf onnx saved_model flax; do mkdir -p "$seeds/$target"; done
cp "$formats"/hdf5_{external_link,external_storage,cycle,dense}.h5 "$seeds/hdf5"
cp "$formats"/gguf_*.gguf "$seeds/gguf"
cp "$formats"/onnx_*.onnx "$seeds/onnx"
cp "$formats"/flax_*.msgpack "$seeds/flax"
cp "$formats"/tensorflow_saved_model_reaches/saved_model.pb "$seeds/saved_model"
# What follows the beginning of the header, after the length of the data.
{ printf '\030'; tail -c +11 "$formats/safetensors_numpy.safetensors" | head -c 62; } > "$seeds/safetensors/numpy"
mkdir -p "$seeds/keras_config"
cat > "$seeds/keras_config/lambda.json" <<'END'
{"module": "keras", "class_name": "Sequential", "config": {"name": "model", "layers": [{"module": "keras.layers",
"class_name": "Lambda", "config": {"name": "doubles", "function": {"class_name": "__lambda__", "config": {"code": "4wEA"}}},
"registered_name": null}, {"module": null, "class_name": "Scale", "config": {}, "registered_name": "mine>Scale"},
{"class_name": "TFOpLambda", "config": {"function": "math.add"}}]}, "registered_name": null}
END
