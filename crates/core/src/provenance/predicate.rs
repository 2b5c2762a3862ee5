//! The predicates of SLSA provenance v0.2 and v1 as they are written. What a reader of one kind has to find, it looks for.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Dependency, InvalidProvenance};
use crate::envelope::Object;

pub(super) const V02: &str = "https://slsa.dev/provenance/v0.2";
pub(super) const V1: &str = "https://slsa.dev/provenance/v1";

pub(super) fn read<T: DeserializeOwned>(predicate: &Map<String, Value>) -> Result<T, InvalidProvenance> {
    T::deserialize(predicate).map_err(|error| InvalidProvenance::Json(error.into()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PredicateV02 {
    pub(super) builder: Object<Builder>,
    pub(super) build_type: String,
    #[serde(default)]
    pub(super) invocation: Object<Invocation>,
    #[serde(default)]
    pub(super) materials: Vec<Object<Dependency>>,
    pub(super) metadata: Option<Object<MetadataV02>>,
}

#[derive(Deserialize)]
pub(super) struct Builder {
    pub(super) id: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Invocation {
    #[serde(default)]
    pub(super) config_source: Object<ConfigSource>,
    #[serde(default)]
    pub(super) parameters: Value,
    #[serde(default)]
    pub(super) environment: Map<String, Value>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct ConfigSource {
    #[serde(default)]
    pub(super) uri: String,
    #[serde(default)]
    pub(super) digest: BTreeMap<String, String>,
    pub(super) entry_point: Option<String>,
}

#[derive(Default, Deserialize)]
pub(super) struct MetadataV02 {
    #[serde(rename = "buildInvocationID", alias = "buildInvocationId")]
    pub(super) invocation: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PredicateV1 {
    pub(super) build_definition: Object<BuildDefinition>,
    pub(super) run_details: Object<RunDetails>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct BuildDefinition {
    pub(super) build_type: String,
    pub(super) external_parameters: Map<String, Value>,
    #[serde(default)]
    pub(super) internal_parameters: Map<String, Value>,
    #[serde(default)]
    pub(super) resolved_dependencies: Vec<Object<Dependency>>,
}

#[derive(Deserialize)]
pub(super) struct RunDetails {
    pub(super) builder: Object<Builder>,
    #[serde(default)]
    pub(super) metadata: Object<MetadataV1>,
}

#[derive(Default, Deserialize)]
pub(super) struct MetadataV1 {
    // Go's in-toto library wrote `invocationID` before it wrote what the specification has.
    #[serde(rename = "invocationId", alias = "invocationID")]
    pub(super) invocation: Option<String>,
}
