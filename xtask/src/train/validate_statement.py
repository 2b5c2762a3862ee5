"""Reads the statement in a Sigstore bundle with in-toto's published protobuf, and refuses what that does not know."""

import base64
import json
import sys

from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1.resource_descriptor import ResourceDescriptor
from in_toto_attestation.v1.statement import Statement
from in_toto_attestation.v1.statement_pb2 import Statement as StatementMessage

with open(sys.argv[1], encoding="utf-8") as file:
    envelope = json.load(file)["dsseEnvelope"]
if envelope["payloadType"] != "application/vnd.in-toto+json":
    sys.exit(f"payload type: found {envelope['payloadType']}")
payload = json.loads(base64.b64decode(envelope["payload"]))

statement = json_format.ParseDict(payload, StatementMessage())
Statement.copy_from_pb(statement).validate()
if statement.predicate_type != "https://slsa.dev/provenance/v1":
    sys.exit(f"predicate type: found {statement.predicate_type}")

provenance = json_format.ParseDict(payload["predicate"], provenance_pb2.Provenance())
dependencies = list(provenance.build_definition.resolved_dependencies)
for descriptor in dependencies + list(provenance.run_details.byproducts):
    ResourceDescriptor.copy_from_pb(descriptor).validate()
if not (provenance.build_definition.build_type and provenance.run_details.builder.id):
    sys.exit("expected a build type and a builder")
print(len(dependencies))
