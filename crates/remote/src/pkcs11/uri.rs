//! `pkcs11:` URIs (RFC 7512), as far as they name a key to sign with.
//!
//! | the RFC leaves open | here |
//! |---|---|
//! | path attributes that are not known, vendors' too | refused: they would narrow down what can't be narrowed down |
//! | query attributes that are not known, vendors' too | ignored |
//! | characters that ought to be percent-encoded | accepted, as other tools do, but for control characters |
//! | `pin-source` | an absolute path, bare or in a `file:` URI; no command |
//! | `type` | `private`; and `public`, which names the same pair: tools that list a token before login print it |
//!
//! Nothing here reads a file, and no error or debug output shows a PIN.

use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use super::Pin;

/// The longest URI that is read, in bytes.
const MAX_URI_BYTES: usize = 8_192;
const SCHEME: &str = "pkcs11:";
/// What a PIN follows.
const PIN_VALUE: &str = "pin-value=";

/// What a URI says: which module, which token in it, which key, and where the PIN is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pkcs11Uri {
    pub(super) module: ModuleLocation,
    pub(super) library: Library,
    pub(super) slot: Slot,
    pub(super) token: Token,
    pub(super) object: Object,
    pin: PinSource,
}

/// Where the module is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum ModuleLocation {
    /// At an absolute path: the module, or a folder that has it under this name.
    At { path: PathBuf, name: Option<String> },
    /// In one of the folders that modules are usually in.
    Named(String),
}

/// What the module has to say about itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Library {
    pub(super) manufacturer: Option<String>,
    pub(super) description: Option<String>,
    /// Major and minor.
    pub(super) version: Option<(u8, u8)>,
}

/// What the slot has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) id: Option<u64>,
    pub(super) description: Option<String>,
    pub(super) manufacturer: Option<String>,
}

/// What the token has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Token {
    pub(super) label: Option<String>,
    pub(super) manufacturer: Option<String>,
    pub(super) serial: Option<String>,
    pub(super) model: Option<String>,
}

/// What the key has to be; one of these at least is given.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Object {
    pub(super) label: Option<String>,
    pub(super) id: Option<Vec<u8>>,
}

/// Where a URI says that the PIN is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PinSource {
    /// It does not say.
    NotGiven,
    /// In the URI itself.
    Value(Pin),
    /// In the first line of the file at this absolute path.
    File(PathBuf),
}

impl Pkcs11Uri {
    /// Reads a URI.
    ///
    /// # Errors
    /// [`InvalidUri`]: what was expected and what was found.
    pub fn parse(text: &str) -> Result<Self, InvalidUri> {
        if text.len() > MAX_URI_BYTES {
            return Err(InvalidUri::TooLong { found: text.len() });
        }
        if text.contains(char::is_control) {
            return Err(InvalidUri::ControlCharacter);
        }
        let (path, query) = split(text)?;
        let path = Attributes::parse(path, Component::Path)?;
        let query = Attributes::parse(query, Component::Query)?;
        check_type(path.text("type")?.as_deref())?;
        Ok(Self {
            library: Library {
                manufacturer: path.text("library-manufacturer")?,
                description: path.text("library-description")?,
                version: path.text("library-version")?.filter(|text| !text.is_empty()).map(version).transpose()?,
            },
            slot: Slot {
                id: path.text("slot-id")?.map(slot_id).transpose()?,
                description: path.text("slot-description")?,
                manufacturer: path.text("slot-manufacturer")?,
            },
            token: Token {
                label: path.text("token")?,
                manufacturer: path.text("manufacturer")?,
                serial: path.text("serial")?,
                model: path.text("model")?,
            },
            object: object(path.text("object")?, path.bytes("id")?)?,
            module: module(query.text("module-path")?, query.text("module-name")?)?,
            pin: pin(query.bytes("pin-value")?, query.text("pin-source")?)?,
        })
    }

    /// Where the PIN is, as far as the URI says.
    #[must_use]
    pub fn pin(&self) -> &PinSource {
        &self.pin
    }
}

/// The path and the query, with no PIN where a message would show it.
fn split(text: &str) -> Result<(&str, &str), InvalidUri> {
    let scheme = text.get(..SCHEME.len()).filter(|scheme| scheme.eq_ignore_ascii_case(SCHEME));
    let rest = &text[scheme.ok_or(InvalidUri::Scheme)?.len()..];
    let (path, query) = rest.split_once('?').unwrap_or((rest, ""));
    let mut elsewhere = query.split('&').map(|attribute| attribute.strip_prefix(PIN_VALUE).unwrap_or(attribute));
    if path.contains(PIN_VALUE) || elsewhere.any(|text| text.contains(PIN_VALUE)) {
        return Err(InvalidUri::MisplacedPin);
    }
    Ok((path, query))
}

/// A part of a URI.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Before the `?`, separated by `;`.
    Path,
    /// After the `?`, separated by `&`.
    Query,
}

impl Component {
    fn separator(self) -> char {
        match self {
            Self::Path => ';',
            Self::Query => '&',
        }
    }

    fn knows(self, name: &str) -> bool {
        match self {
            Self::Path => matches!(
                name,
                "token"
                    | "manufacturer"
                    | "serial"
                    | "model"
                    | "library-manufacturer"
                    | "library-description"
                    | "library-version"
                    | "object"
                    | "type"
                    | "id"
                    | "slot-id"
                    | "slot-description"
                    | "slot-manufacturer"
            ),
            Self::Query => matches!(name, "module-path" | "module-name" | "pin-value" | "pin-source"),
        }
    }
}

impl std::fmt::Display for Component {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Path => "path",
            Self::Query => "query",
        })
    }
}

/// The known attributes of one part, each once, still encoded.
struct Attributes<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Attributes<'a> {
    fn parse(text: &'a str, component: Component) -> Result<Self, InvalidUri> {
        let mut known: Vec<(&str, &str)> = Vec::new();
        if text.is_empty() {
            return Ok(Self(known));
        }
        for (index, attribute) in text.split(component.separator()).enumerate() {
            let parts = attribute.split_once('=').filter(|(name, _)| is_name(name));
            let (name, value) = parts.ok_or(InvalidUri::Malformed { component, position: index + 1 })?;
            if component.knows(name) {
                if known.iter().any(|(other, _)| *other == name) {
                    return Err(InvalidUri::Duplicate { name: name.to_owned() });
                }
                known.push((name, value));
            } else if component == Component::Path {
                return Err(InvalidUri::UnknownAttribute { name: name.to_owned() });
            }
        }
        Ok(Self(known))
    }

    fn bytes(&self, name: &'static str) -> Result<Option<Zeroizing<Vec<u8>>>, InvalidUri> {
        let value = self.0.iter().find(|(other, _)| *other == name);
        value.map(|(_, value)| decode(value).ok_or(InvalidUri::Encoding { name })).transpose()
    }

    fn text(&self, name: &'static str) -> Result<Option<String>, InvalidUri> {
        let text = |bytes: Zeroizing<Vec<u8>>| {
            std::str::from_utf8(&bytes).map(str::to_owned).map_err(|_| InvalidUri::NotUtf8 { name })
        };
        self.bytes(name)?.map(text).transpose()
    }
}

/// Whether this can be the name of an attribute.
fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~'))
}

/// Undoes percent-encoding (RFC 3986 §2.1).
fn decode(text: &str) -> Option<Zeroizing<Vec<u8>>> {
    // Of the final size from the start: a buffer that grows leaves copies of a PIN behind.
    let mut decoded = Zeroizing::new(Vec::with_capacity(text.len()));
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { hex_digit(bytes.next()?)? << 4 | hex_digit(bytes.next()?)? } else { byte });
    }
    Some(decoded)
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

fn check_type(found: Option<&str>) -> Result<(), InvalidUri> {
    match found {
        None | Some("" | "private" | "public") => Ok(()),
        Some(found) => Err(InvalidUri::Type { found: found.to_owned() }),
    }
}

fn version(text: String) -> Result<(u8, u8), InvalidUri> {
    let (major, minor) = text.split_once('.').unwrap_or((&text, "0"));
    match (number(major), number(minor)) {
        (Some(major), Some(minor)) => Ok((major, minor)),
        _ => Err(InvalidUri::LibraryVersion { found: text }),
    }
}

fn slot_id(text: String) -> Result<u64, InvalidUri> {
    number(&text).ok_or(InvalidUri::SlotId { found: text })
}

/// A number in decimal digits alone: `str::parse` takes a sign too.
fn number<T: std::str::FromStr>(text: &str) -> Option<T> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten()
}

fn object(label: Option<String>, id: Option<Zeroizing<Vec<u8>>>) -> Result<Object, InvalidUri> {
    if label.is_none() && id.is_none() {
        return Err(InvalidUri::NoObject);
    }
    Ok(Object { label, id: id.map(|id| id.to_vec()) })
}

fn module(path: Option<String>, name: Option<String>) -> Result<ModuleLocation, InvalidUri> {
    if let Some(found) = name.as_ref().filter(|name| name.is_empty() || name.contains(['/', '\\'])) {
        return Err(InvalidUri::ModuleName { found: found.clone() });
    }
    match (path, name) {
        // A path without a folder is looked up where the loader pleases; a relative one depends on where one stands.
        (Some(found), _) if !Path::new(&found).is_absolute() => Err(InvalidUri::RelativeModule { found }),
        (Some(path), name) => Ok(ModuleLocation::At { path: path.into(), name }),
        (None, Some(name)) => Ok(ModuleLocation::Named(name)),
        (None, None) => Err(InvalidUri::NoModule),
    }
}

fn pin(value: Option<Zeroizing<Vec<u8>>>, source: Option<String>) -> Result<PinSource, InvalidUri> {
    match (value, source) {
        (Some(_), Some(_)) => Err(InvalidUri::TwoPins),
        (Some(value), None) => Ok(PinSource::Value(Pin::new(value))),
        (None, Some(source)) => {
            let path = source.strip_prefix("file:").unwrap_or(&source);
            let path = path.strip_prefix("//localhost").or_else(|| path.strip_prefix("//")).unwrap_or(path);
            let path = Some(path).filter(|path| Path::new(path).is_absolute()).ok_or(InvalidUri::PinSource)?;
            Ok(PinSource::File(path.into()))
        }
        (None, None) => Ok(PinSource::NotGiven),
    }
}

/// Why a text is not the URI of a key.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidUri {
    /// The text is too long.
    #[error("expected at most {MAX_URI_BYTES} bytes, found {found}")]
    TooLong {
        /// Its length in bytes.
        found: usize,
    },
    /// The text does not begin as it has to.
    #[error("expected a URI that begins with `{SCHEME}`")]
    Scheme,
    /// The text has a control character that is not encoded.
    #[error("expected control characters percent-encoded (`%0A`), found one that is not")]
    ControlCharacter,
    /// There is a PIN inside another attribute.
    #[error("expected `{PIN_VALUE}` right after the `?` or an `&` behind it, found it inside another attribute")]
    MisplacedPin,
    /// A part between separators is not an attribute.
    #[error("expected `NAME=VALUE` between the `{}` of the {component}, found something else in place {position}",
        component.separator())]
    Malformed {
        /// Which part of the URI.
        component: Component,
        /// Which attribute of it, counted from 1: its text could be a PIN.
        position: usize,
    },
    /// A path attribute is not known.
    #[error("expected path attributes of RFC 7512, found `{name}`")]
    UnknownAttribute {
        /// Its name.
        name: String,
    },
    /// An attribute stands twice.
    #[error("expected `{name}` once, found it twice")]
    Duplicate {
        /// Its name.
        name: String,
    },
    /// An attribute's percent-encoding is broken.
    #[error("`{name}`: expected two hex digits after each `%`")]
    Encoding {
        /// The attribute.
        name: &'static str,
    },
    /// A text is none.
    #[error("`{name}`: expected UTF-8")]
    NotUtf8 {
        /// The attribute.
        name: &'static str,
    },
    /// The slot is not a number.
    #[error("`slot-id`: expected a number in decimal digits, found `{found}`")]
    SlotId {
        /// What was found.
        found: String,
    },
    /// The module's version is none.
    #[error("`library-version`: expected `MAJOR` or `MAJOR.MINOR`, each at most 255, found `{found}`")]
    LibraryVersion {
        /// What was found.
        found: String,
    },
    /// The object is not a key pair.
    #[error("`type`: expected `private`, found `{found}`")]
    Type {
        /// What was found.
        found: String,
    },
    /// The module's path is relative.
    #[error("`module-path`: expected an absolute path, found `{found}`")]
    RelativeModule {
        /// What was found.
        found: String,
    },
    /// The module's name is none.
    #[error("`module-name`: expected the name of a file without its folder, found `{found}`")]
    ModuleName {
        /// What was found.
        found: String,
    },
    /// The PIN's source is none that is read. What was found is not shown: it could be the PIN.
    #[error("`pin-source`: expected the absolute path of a file, or its `file:` URI")]
    PinSource,
    /// There are two PINs.
    #[error("expected `pin-value` or `pin-source`, found both")]
    TwoPins,
    /// It does not say which key.
    #[error("expected `object` (a label) or `id` to name the key, found neither")]
    NoObject,
    /// It does not say which module.
    #[error("expected `module-path` or `module-name` after `?` to name the token's module, found neither")]
    NoModule,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// What makes `/a` absolute.
    const ROOT: &str = if cfg!(windows) { "C:" } else { "" };

    #[test]
    fn every_attribute_is_read() {
        let uri = Pkcs11Uri::parse(&format!(
            "PKCS11:token=The%20Software%20PKCS%2311%20Softtoken;manufacturer=Snake%20Oil,%20Inc.;model=1.0;serial=;\
             library-manufacturer=Snake;library-description=Soft;library-version=1.23;slot-id=42;slot-description=USB;\
             slot-manufacturer=Oil;object=m%C3%BC=&x;type=private;id=%69%95%3E%5c%F4\
             ?module-path={ROOT}/usr/lib/libp11.so&module-name=p11&pin-value=p%20%26%00%ff=&x-vendor=1&x-vendor=2"
        ))
        .expect("a URI");
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            uri,
            Pkcs11Uri {
                module: ModuleLocation::At { path: format!("{ROOT}/usr/lib/libp11.so").into(), name: text("p11") },
                library: Library { manufacturer: text("Snake"), description: text("Soft"), version: Some((1, 23)) },
                slot: Slot { id: Some(42), description: text("USB"), manufacturer: text("Oil") },
                token: Token {
                    label: text("The Software PKCS#11 Softtoken"),
                    manufacturer: text("Snake Oil, Inc."),
                    serial: text(""),
                    model: text("1.0"),
                },
                object: Object { label: text("mü=&x"), id: Some(b"\x69\x95\x3e\x5c\xf4".to_vec()) },
                pin: PinSource::Value(Pin::new(Zeroizing::new(b"p &\0\xff=".to_vec()))),
            }
        );
    }

    #[test]
    fn what_other_tools_print_and_people_write_is_read() {
        for uri in [
            "pkcs11:object=a?module-name=softhsm2",
            "pkcs11:id=%01;type=public?module-name=softhsm2",
            "pkcs11:id=;type=?module-name=softhsm2",
            "pkcs11:object=my key/1;library-version=3?module-name=softhsm2",
            "pkcs11:object=m\u{fc};library-version=?module-name=softhsm2&vendor-aaa=b",
            "pkcs11:object=:[]@!$'()*+,=&?module-name=softhsm2&x=:[]@!$'()*+,=/?",
        ] {
            assert!(Pkcs11Uri::parse(uri).is_ok(), "{uri}");
        }
    }

    #[test]
    fn a_pin_is_named_in_each_way_that_a_file_is() {
        let path = format!("{ROOT}/etc/token pin");
        for source in ["", "file:", "file://", "file://localhost"] {
            let uri = format!("pkcs11:object=a?module-name=m&pin-source={source}{ROOT}/etc/token%20pin");
            assert_eq!(Pkcs11Uri::parse(&uri).expect(&uri).pin(), &PinSource::File(path.clone().into()), "{uri}");
        }
    }

    #[test]
    fn malformed_uris_are_rejected() {
        let found = |text: &str| text.to_owned();
        let malformed = |component, position| InvalidUri::Malformed { component, position };
        let (path, query) = (Component::Path, Component::Query);
        for (uri, expected) in [
            ("", InvalidUri::Scheme),
            ("pkcs11", InvalidUri::Scheme),
            ("file:///key.pem", InvalidUri::Scheme),
            (" pkcs11:object=a?module-name=m", InvalidUri::Scheme),
            ("pkcs11:", InvalidUri::NoObject),
            ("pkcs11:?module-name=m", InvalidUri::NoObject),
            ("pkcs11:token=t?module-name=m", InvalidUri::NoObject),
            ("pkcs11:object=a", InvalidUri::NoModule),
            ("pkcs11:object=a?", InvalidUri::NoModule),
            ("pkcs11:object=a?x-module=m", InvalidUri::NoModule),
            ("pkcs11:object=a\n?module-name=m", InvalidUri::ControlCharacter),
            ("pkcs11:object=a;?module-name=m", malformed(path, 2)),
            ("pkcs11:;object=a?module-name=m", malformed(path, 1)),
            ("pkcs11:object?module-name=m", malformed(path, 1)),
            ("pkcs11:=a?module-name=m", malformed(path, 1)),
            ("pkcs11:object=a; id=%01?module-name=m", malformed(path, 2)),
            ("pkcs11:object=a?module-name=m&", malformed(query, 2)),
            ("pkcs11:object=a?module-name", malformed(query, 1)),
            ("pkcs11:object=a;x-vendor=1?module-name=m", InvalidUri::UnknownAttribute { name: found("x-vendor") }),
            ("pkcs11:Object=a?module-name=m", InvalidUri::UnknownAttribute { name: found("Object") }),
            ("pkcs11:object=a;module-name=m", InvalidUri::UnknownAttribute { name: found("module-name") }),
            ("pkcs11:object=a;object=a?module-name=m", InvalidUri::Duplicate { name: found("object") }),
            ("pkcs11:object=a?module-name=m&module-name=m", InvalidUri::Duplicate { name: found("module-name") }),
            (
                "pkcs11:object=a?module-name=m&pin-value=1&pin-value=2",
                InvalidUri::Duplicate { name: found("pin-value") },
            ),
            ("pkcs11:object=a%2?module-name=m", InvalidUri::Encoding { name: "object" }),
            ("pkcs11:object=a%?module-name=m", InvalidUri::Encoding { name: "object" }),
            ("pkcs11:id=%zz?module-name=m", InvalidUri::Encoding { name: "id" }),
            ("pkcs11:id=%+1?module-name=m", InvalidUri::Encoding { name: "id" }),
            ("pkcs11:object=%FF?module-name=m", InvalidUri::NotUtf8 { name: "object" }),
            ("pkcs11:object=a;slot-id=?module-name=m", InvalidUri::SlotId { found: found("") }),
            ("pkcs11:object=a;slot-id=+1?module-name=m", InvalidUri::SlotId { found: found("+1") }),
            ("pkcs11:object=a;slot-id=-1?module-name=m", InvalidUri::SlotId { found: found("-1") }),
            ("pkcs11:object=a;slot-id=slot1?module-name=m", InvalidUri::SlotId { found: found("slot1") }),
            (
                "pkcs11:object=a;slot-id=18446744073709551616?module-name=m",
                InvalidUri::SlotId { found: found("18446744073709551616") },
            ),
            ("pkcs11:object=a;library-version=v1?module-name=m", InvalidUri::LibraryVersion { found: found("v1") }),
            (
                "pkcs11:object=a;library-version=1.2.3?module-name=m",
                InvalidUri::LibraryVersion { found: found("1.2.3") },
            ),
            ("pkcs11:object=a;library-version=256?module-name=m", InvalidUri::LibraryVersion { found: found("256") }),
            ("pkcs11:object=a;library-version=1.?module-name=m", InvalidUri::LibraryVersion { found: found("1.") }),
            ("pkcs11:object=a;type=cert?module-name=m", InvalidUri::Type { found: found("cert") }),
            ("pkcs11:object=a;type=Private?module-name=m", InvalidUri::Type { found: found("Private") }),
            ("pkcs11:object=a?module-path=p11.so", InvalidUri::RelativeModule { found: found("p11.so") }),
            ("pkcs11:object=a?module-path=./p11.so", InvalidUri::RelativeModule { found: found("./p11.so") }),
            ("pkcs11:object=a?module-path=", InvalidUri::RelativeModule { found: found("") }),
            ("pkcs11:object=a?module-name=", InvalidUri::ModuleName { found: found("") }),
            ("pkcs11:object=a?module-name=..%2Fm", InvalidUri::ModuleName { found: found("../m") }),
            ("pkcs11:object=a?module-name=m&pin-source=pin", InvalidUri::PinSource),
            ("pkcs11:object=a?module-name=m&pin-source=file:pin", InvalidUri::PinSource),
            ("pkcs11:object=a?module-name=m&pin-source=file://host/pin", InvalidUri::PinSource),
            ("pkcs11:object=a?module-name=m&pin-source=%7C/bin/pin", InvalidUri::PinSource),
            ("pkcs11:object=a?module-name=m&pin-source=https://host/pin", InvalidUri::PinSource),
        ] {
            assert_eq!(Pkcs11Uri::parse(uri), Err(expected), "{uri}");
        }
        let both = format!("pkcs11:object=a?module-name=m&pin-value=1&pin-source={ROOT}/pin");
        assert_eq!(Pkcs11Uri::parse(&both), Err(InvalidUri::TwoPins));
        let long = format!("pkcs11:object={}?module-name=m", "a".repeat(MAX_URI_BYTES));
        assert_eq!(Pkcs11Uri::parse(&long), Err(InvalidUri::TooLong { found: long.len() }));
    }

    #[test]
    fn no_output_shows_a_pin() {
        for uri in [
            "pkcs11:object=a?module-name=m&pin-value=s3cret",
            "pkcs11:object=a?module-name=m&pin-value=s3cret%",
            "pkcs11:object=a?module-name=m&pin-source=s3cret",
            "pkcs11:object=a?module-name=m&pin-value=a&s3cret",
            "pkcs11:object=a?module-name=m&s3cret",
            "pkcs11:object=a?module-name=m;pin-value=s3cret",
            "pkcs11:object=a?module-path=m?pin-value=s3cret",
            "pkcs11:object=a;pin-value=s3cret?module-name=m",
            "pkcs11:object=a&pin-value=s3cret",
            "pkcs11:object=a;s3cret?module-name=m",
            "pkcs1:object=a?module-name=m&pin-value=s3cret",
        ] {
            let outcome = Pkcs11Uri::parse(uri);
            assert!(!format!("{outcome:?}").contains("s3cret"), "{outcome:?}");
            assert!(outcome.map_or_else(|error| !error.to_string().contains("s3cret"), |_| true), "{uri}");
        }
    }

    /// Texts that are almost URIs.
    fn almost_a_uri() -> impl Strategy<Value = String> {
        let pieces = prop::sample::select(vec![
            "pkcs11:",
            "object",
            "id",
            "slot-id",
            "library-version",
            "type",
            "module-path",
            "module-name",
            "pin-value",
            "pin-source",
            "=",
            "=",
            ";",
            "?",
            "&",
            "%",
            "%41",
            "%ff",
            "1",
            "/",
            "file:",
            "private",
            "ü",
            ".",
            "\0",
        ]);
        prop::collection::vec(pieces, 0..24).prop_map(|pieces| format!("pkcs11:{}", pieces.concat()))
    }

    proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".*", almost in almost_a_uri()) {
            let _ = Pkcs11Uri::parse(&text);
            let _ = Pkcs11Uri::parse(&almost);
        }

        #[test]
        fn any_bytes_can_be_an_id_or_a_pin(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let encoded: String = bytes.iter().map(|byte| format!("%{byte:02x}")).collect();
            let uri = Pkcs11Uri::parse(&format!("pkcs11:id={encoded}?module-name=m&pin-value={encoded}"));
            let uri = uri.expect("a URI");
            prop_assert_eq!(uri.pin(), &PinSource::Value(Pin::new(Zeroizing::new(bytes.clone()))));
            prop_assert_eq!(uri.object.id, Some(bytes));
        }
    }
}
