//! Name constraints (RFC 5280 §4.2.1.10, §6.1.3(b) and (c), §6.1.4(g)).

use std::cell::Cell;
use std::mem::discriminant;

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::constraints::name::GeneralSubtree;
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{NameConstraints, SubjectAltName};

use super::name::{NormalName, text};
use super::{Certificate, SUBJECT_ALT_NAME, UsageError};

pub(super) const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
const EMAIL_ADDRESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.1");
/// Names times constraints that are compared for one path.
const MAX_COMPARISONS: usize = 1 << 18;

/// What the issuers so far let a certificate be named.
#[derive(Default)]
pub(super) struct Constraints {
    /// A list for each issuer that has one: a name has to be in each list that has subtrees of its kind.
    permitted: Vec<Vec<Subtree>>,
    excluded: Vec<Subtree>,
    comparisons: Cell<usize>,
}

/// A constraint, its name in the form in which it is compared.
struct Subtree {
    base: GeneralName,
    normal: Option<NormalName>,
}

impl From<GeneralSubtree> for Subtree {
    fn from(GeneralSubtree { base, .. }: GeneralSubtree) -> Self {
        let normal = normal(&base);
        Self { base, normal }
    }
}

fn normal(name: &GeneralName) -> Option<NormalName> {
    match name {
        GeneralName::DirectoryName(name) => Some(NormalName::of(name)),
        _ => None,
    }
}

/// Why a certificate's names are not acceptable.
pub(super) enum NameError {
    /// An issuer's constraints do not allow one.
    NotAllowed,
    /// There is more to compare than is compared.
    TooMany,
    /// The names, or the constraints, can't be read.
    Usage(UsageError),
}

impl Constraints {
    /// Adds what an issuer says.
    pub(super) fn add(&mut self, issuer: &Certificate) -> Result<(), UsageError> {
        let malformed = UsageError::Malformed { extension: "NameConstraints" };
        let constraints: Option<NameConstraints> = issuer.extension(NAME_CONSTRAINTS).map_err(|_| malformed)?;
        let Some(NameConstraints { permitted_subtrees, excluded_subtrees }) = constraints else { return Ok(()) };
        let (permitted, excluded) = (permitted_subtrees.unwrap_or_default(), excluded_subtrees.unwrap_or_default());
        if !permitted.iter().chain(&excluded).all(is_well_formed) {
            return Err(malformed);
        }
        if !permitted.is_empty() {
            self.permitted.push(permitted.into_iter().map(Subtree::from).collect());
        }
        self.excluded.extend(excluded.into_iter().map(Subtree::from));
        Ok(())
    }

    /// Checks the subject and the alternative names of `certificate`.
    pub(super) fn check(&self, certificate: &Certificate) -> Result<(), NameError> {
        let malformed = UsageError::Malformed { extension: "SubjectAltName" };
        let names: Option<SubjectAltName> =
            certificate.extension(SUBJECT_ALT_NAME).map_err(|_| NameError::Usage(malformed))?;
        if names.as_ref().is_some_and(|names| names.0.is_empty()) {
            return Err(NameError::Usage(malformed));
        }
        if self.permitted.is_empty() && self.excluded.is_empty() {
            return Ok(());
        }
        for name in names.iter().flat_map(|names| &names.0) {
            self.check_name(name)?;
        }
        let subject = &certificate.parsed.tbs_certificate.subject;
        if !subject.0.is_empty() {
            self.check_name(&GeneralName::DirectoryName(subject.clone()))?;
        }
        let attributes = subject.0.iter().flat_map(|part| part.0.iter());
        for attribute in attributes.filter(|attribute| attribute.oid == EMAIL_ADDRESS) {
            let address = text(&attribute.value).and_then(|text| x509_cert::der::asn1::Ia5String::new(&text).ok());
            self.check_name(&GeneralName::Rfc822Name(address.ok_or(NameError::NotAllowed)?))?;
        }
        Ok(())
    }

    fn check_name(&self, name: &GeneralName) -> Result<(), NameError> {
        let (kind, normal) = (discriminant(name), normal(name));
        let compare = |subtree: &Subtree| match (&normal, &subtree.normal) {
            (Some(name), Some(base)) => Some(name.starts_with(base)),
            _ => compare(name, &subtree.base),
        };
        let is_about = |subtree: &&Subtree| discriminant(&subtree.base) == kind;
        for subtree in self.excluded.iter().filter(is_about) {
            self.count()?;
            // A name that can't be compared may be the one that is excluded.
            if compare(subtree).is_none_or(|within| within) || wildcard_covers(name, &subtree.base) {
                return Err(NameError::NotAllowed);
            }
        }
        for list in &self.permitted {
            let mut constrained = false;
            let mut within = false;
            for subtree in list.iter().filter(is_about) {
                self.count()?;
                constrained = true;
                within |= compare(subtree) == Some(true);
            }
            if constrained && !within {
                return Err(NameError::NotAllowed);
            }
        }
        Ok(())
    }

    fn count(&self) -> Result<(), NameError> {
        self.comparisons.set(self.comparisons.get() + 1);
        if self.comparisons.get() > MAX_COMPARISONS { Err(NameError::TooMany) } else { Ok(()) }
    }
}

/// Whether a constraint is one that names can be compared with; those of kinds that are not compared refuse every name of
/// their kind instead.
fn is_well_formed(subtree: &GeneralSubtree) -> bool {
    let base = match &subtree.base {
        GeneralName::DnsName(base) | GeneralName::UniformResourceIdentifier(base) => is_host_base(base.as_str()),
        GeneralName::Rfc822Name(base) => match base.as_str().rsplit_once('@') {
            Some((local, host)) => is_local_part(local) && is_host_name(host),
            None => is_host_base(base.as_str()),
        },
        GeneralName::IpAddress(base) => matches!(base.as_bytes().len(), 8 | 32),
        _ => true,
    };
    base && subtree.minimum == 0 && subtree.maximum.is_none()
}

/// A host, what lies below one, or nothing, which is every host.
fn is_host_base(base: &str) -> bool {
    base.is_empty() || is_host_name(base.strip_prefix('.').unwrap_or(base))
}

/// Whether `name` lies in the subtree of `base`; nothing if that can't be told.
fn compare(name: &GeneralName, base: &GeneralName) -> Option<bool> {
    match (name, base) {
        (GeneralName::DnsName(name), GeneralName::DnsName(base)) => is_in_domain(name.as_str(), base.as_str()),
        (GeneralName::Rfc822Name(name), GeneralName::Rfc822Name(base)) => is_in_mail(name.as_str(), base.as_str()),
        (GeneralName::UniformResourceIdentifier(name), GeneralName::UniformResourceIdentifier(base)) => {
            host(name.as_str()).map(|host| is_host_in(host, base.as_str()))
        }
        (GeneralName::IpAddress(name), GeneralName::IpAddress(base)) => is_in_network(name.as_bytes(), base.as_bytes()),
        _ => None,
    }
}

/// `example.com` is the domain and all below it; with a leading period, what lies below it alone, as OpenSSL has it.
fn is_in_domain(name: &str, base: &str) -> Option<bool> {
    let labels = name.strip_prefix("*.").unwrap_or(name);
    if !is_host_name(labels) {
        return None;
    }
    Some(base.is_empty() || (!base.starts_with('.') && name.eq_ignore_ascii_case(base)) || is_below(name, base))
}

/// What stands before the `@`, unquoted: a quoted form would be another spelling of the same mailbox.
fn is_local_part(local: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-/=?^_`{|}~.".contains(&byte);
    !local.is_empty() && local.bytes().all(plain)
}

/// Labels, none of them empty: a period at the end would make another name of the same host.
pub(super) fn is_host_name(name: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.split('.').all(|label| !label.is_empty() && label.bytes().all(plain))
}

/// Whether `name` is `base` with labels before it.
fn is_below(name: &str, base: &str) -> bool {
    let base = base.strip_prefix('.').unwrap_or(base);
    let Some(split) = name.len().checked_sub(base.len() + 1) else { return false };
    split > 0 && name.as_bytes()[split] == b'.' && name.as_bytes()[split + 1..].eq_ignore_ascii_case(base.as_bytes())
}

/// Whether a name with a wildcard stands for one in an excluded domain.
fn wildcard_covers(name: &GeneralName, base: &GeneralName) -> bool {
    let (GeneralName::DnsName(name), GeneralName::DnsName(base)) = (name, base) else { return false };
    name.as_str().strip_prefix("*.").is_some_and(|parent| is_below(base.as_str(), parent))
}

/// A base with `@` is one mailbox; else a host, or with a leading period the hosts below it.
fn is_in_mail(name: &str, base: &str) -> Option<bool> {
    let (local, host) = name.rsplit_once('@')?;
    if !is_local_part(local) || !is_host_name(host) {
        return None;
    }
    Some(match base.rsplit_once('@') {
        Some((base_local, base_host)) => local == base_local && host.eq_ignore_ascii_case(base_host),
        None => is_host_in(host, base),
    })
}

fn is_host_in(host: &str, base: &str) -> bool {
    base.is_empty() || if base.starts_with('.') { is_below(host, base) } else { host.eq_ignore_ascii_case(base) }
}

/// The host of a URI, if it is a name.
fn host(uri: &str) -> Option<&str> {
    let (scheme, rest) = uri.split_once("://")?;
    if !super::is_scheme(scheme) {
        return None;
    }
    let authority = rest.split(['/', '?', '#', '\\']).next()?;
    let host = authority.rsplit('@').next()?;
    let host = host.split(':').next()?;
    (is_host_name(host) && host.parse::<std::net::Ipv4Addr>().is_err()).then_some(host)
}

/// Address and mask, 4 or 16 bytes each.
fn is_in_network(address: &[u8], network: &[u8]) -> Option<bool> {
    let (base, mask) = network.split_at(network.len() / 2);
    // An IPv4 address may be written as an IPv6 one.
    let mapped =
        <[u8; 16]>::try_from(address).ok().and_then(|address| std::net::Ipv6Addr::from(address).to_ipv4_mapped());
    let mapped = mapped.filter(|_| base.len() == 4).map(|address| address.octets());
    let address = mapped.as_ref().map_or(address, |octets| octets.as_slice());
    if !matches!(address.len(), 4 | 16) {
        return None;
    }
    Some(address.len() == base.len() && address.iter().zip(base.iter().zip(mask)).all(|(a, (b, m))| a & m == b & m))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_are_compared_by_label() {
        let cases = [
            ("example.com", "example.com", Some(true)),
            ("a.EXAMPLE.com", "example.COM", Some(true)),
            ("badexample.com", "example.com", Some(false)),
            ("example.com", ".example.com", Some(false)),
            ("a.example.com", ".example.com", Some(true)),
            ("*.example.com", "example.com", Some(true)),
            ("*.example.com", "a.example.com", Some(false)),
            ("anything", "", Some(true)),
            ("a..example.com", "example.com", None),
            ("a*.example.com", "example.com", None),
            ("", "example.com", None),
        ];
        for (name, base, expected) in cases {
            assert_eq!(is_in_domain(name, base), expected, "{name} in {base}");
        }
    }

    #[test]
    fn mailboxes_and_hosts_are_compared_whole() {
        let cases = [
            ("a@example.com", "example.com", Some(true)),
            ("a@sub.example.com", "example.com", Some(false)),
            ("a@sub.example.com", ".example.com", Some(true)),
            ("a@Example.com", "a@example.COM", Some(true)),
            ("A@example.com", "a@example.com", Some(false)),
            ("a@b@example.com", "example.com", None),
            ("a@example.com.", "example.com", None),
            ("\"a\"@example.com", "a@example.com", None),
            ("a@example.com", "", Some(true)),
            ("example.com", "example.com", None),
        ];
        for (name, base, expected) in cases {
            assert_eq!(is_in_mail(name, base), expected, "{name} in {base}");
        }
        assert_eq!(host("https://user@host.example:8443/path@other"), Some("host.example"));
        assert_eq!(host("https://evil.example\\@host.example/"), Some("evil.example"));
        for no_name in [
            "mailto:a@b",
            "https://192.0.2.1/",
            "https://[::1]/",
            "https:///path",
            "spiffe:/a",
            "https://a.example./",
            "urn:a#://b.example",
        ] {
            assert_eq!(host(no_name), None, "{no_name}");
        }
    }

    #[test]
    fn constraints_that_no_name_could_match_are_not_taken_for_none() {
        use x509_cert::der::asn1::Ia5String;
        let well_formed = |base: fn(Ia5String) -> GeneralName, text: &str| {
            let base = base(Ia5String::new(text).expect("ASCII"));
            is_well_formed(&GeneralSubtree { base, minimum: 0, maximum: None })
        };
        for text in ["example.com", ".example.com", ""] {
            assert!(well_formed(GeneralName::DnsName, text), "{text}");
            assert!(well_formed(GeneralName::UniformResourceIdentifier, text), "{text}");
            assert!(well_formed(GeneralName::Rfc822Name, text), "{text}");
        }
        for text in ["example.com.", "*.example.com", "..example.com", "https://example.com", "a b", "."] {
            assert!(!well_formed(GeneralName::DnsName, text), "{text}");
            assert!(!well_formed(GeneralName::UniformResourceIdentifier, text), "{text}");
            assert!(!well_formed(GeneralName::Rfc822Name, text), "{text}");
        }
        assert!(well_formed(GeneralName::Rfc822Name, "a@example.com"));
        assert!(!well_formed(GeneralName::Rfc822Name, "@example.com"));
        assert!(!well_formed(GeneralName::Rfc822Name, "\"a\"@example.com"));
        assert!(is_host_in("anything.example", ""));
    }

    #[test]
    fn addresses_are_compared_under_the_mask() {
        let network = [192, 0, 2, 0, 255, 255, 255, 0];
        assert_eq!(is_in_network(&[192, 0, 2, 77], &network), Some(true));
        assert_eq!(is_in_network(&[192, 0, 3, 77], &network), Some(false));
        assert_eq!(is_in_network(&[0; 16], &network), Some(false));
        assert_eq!(is_in_network(&[192, 0], &network), None);
        let mapped = std::net::Ipv4Addr::new(192, 0, 2, 77).to_ipv6_mapped().octets();
        assert_eq!(is_in_network(&mapped, &network), Some(true));
    }
}
