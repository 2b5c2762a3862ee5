//! Keras v3: a ZIP archive of a configuration, its metadata and the weights.

use super::bytes::Stop;
use super::findings::Findings;
use super::keras_config;
use super::zip::Archive;

const CONFIG: &str = "config.json";
const METADATA: &str = "metadata.json";
/// Larger configurations are not looked at.
const MOST_CONFIG_BYTES: u64 = 64 << 20;
const MOST_METADATA_BYTES: u64 = 1 << 16;

#[derive(serde::Deserialize)]
struct Metadata {
    keras_version: Option<String>,
    date_saved: Option<String>,
}

/// Whether the configuration alone says that the archive is one: Keras asks for nothing else.
///
/// Many a model of others has a file of that name, but none with a class at its top.
pub(super) fn has_config(archive: &Archive<'_>) -> Result<bool, Stop> {
    let text = match archive.read(CONFIG, MOST_CONFIG_BYTES, &mut Findings::default()) {
        Ok(Some(text)) => text,
        Ok(None) => return Ok(false),
        Err(stop) => return stop.text().map(|_| true),
    };
    match keras_config::read(&text) {
        Ok(config) => Ok(config.class_name.is_some()),
        // Python reads more than JSON, such as numbers that are none.
        Err(stop) => {
            stop.text()?;
            let has = |part: &[u8]| text.windows(part.len()).any(|window| window == part);
            Ok(has(b"class_name") || has(b"\\u"))
        }
    }
}

/// Reads the configuration and metadata. What in the weights is of note is found with all other members.
pub(super) fn read(archive: &Archive<'_>, findings: &mut Findings) -> Result<(), Stop> {
    match archive.read(METADATA, MOST_METADATA_BYTES, findings) {
        Ok(None) => findings.problem(format!("there is no `{METADATA}`")),
        Ok(Some(text)) => match serde_json::from_slice::<Metadata>(&text) {
            Ok(metadata) => {
                if let Some(version) = metadata.keras_version {
                    findings.detail("Keras version", version);
                }
                if let Some(date) = metadata.date_saved {
                    findings.detail("saved", date);
                }
            }
            Err(error) => findings.problem(format!("`{METADATA}`: {error}")),
        },
        Err(stop) => findings.problem(stop.text()?),
    }
    match archive
        .read(CONFIG, MOST_CONFIG_BYTES, findings)
        .and_then(|text| keras_config::read(&text.unwrap_or_default()))
    {
        Ok(config) => {
            if let Some(class) = config.class_name {
                findings.detail("class", class);
            }
            config.code.into_iter().for_each(|code| findings.code(code));
        }
        Err(stop) => findings.problem(format!("`{CONFIG}`: {}", stop.text()?)),
    }
    let weights = archive.members.iter().find(|member| member.name.starts_with("model.weights."));
    match weights {
        Some(weights) => findings.detail("weights", format!("{} bytes", weights.length_bytes)),
        None => findings.problem("there are no weights"),
    }
    Ok(())
}
