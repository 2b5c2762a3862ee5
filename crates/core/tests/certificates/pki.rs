//! Certificate authorities, made for a test.

use model_transparency::certificate::{Certificate, RevocationList, UnixTime};
use model_transparency::key::{KeyAlgorithm, PrivateKey, PrivateKeyPem, generate};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevocationReason, RevokedCertParams, SerialNumber, date_time_ymd,
};

/// In the middle of the year in which every certificate is valid: 2026-07-01.
pub(crate) const NOW: UnixTime = UnixTime(1_782_864_000);
/// A year later.
pub(crate) const NEXT_YEAR: UnixTime = UnixTime(NOW.0 + 365 * 86_400);

/// Changes what is certified.
pub(crate) type Change = fn(&mut CertificateParams);

/// Nothing is changed.
pub(crate) const PLAIN: Change = |_| {};

/// Somebody who issues certificates.
pub(crate) struct Authority {
    pub(crate) certificate: Certificate,
    params: CertificateParams,
    pem: String,
}

/// Somebody who signs models.
pub(crate) struct Leaf {
    pub(crate) certificate: Certificate,
    pub(crate) key: PrivateKey,
}

/// A root, an intermediate and a leaf.
pub(crate) struct Chain {
    pub(crate) root: Authority,
    pub(crate) intermediate: Authority,
    pub(crate) leaf: Leaf,
}

/// A chain in which each certificate can be changed.
pub(crate) fn chain(root: Change, intermediate: Change, leaf: Change) -> Chain {
    let root = Authority::root("Root", root);
    let intermediate = root.authority("Intermediate", intermediate);
    let leaf = intermediate.leaf("Leaf", leaf);
    Chain { root, intermediate, leaf }
}

impl Authority {
    pub(crate) fn root(name: &str, change: Change) -> Self {
        Self::root_of(KeyAlgorithm::EcdsaP256, name, change)
    }

    pub(crate) fn root_of(algorithm: KeyAlgorithm, name: &str, change: Change) -> Self {
        let (key, _) = key(algorithm);
        let params = authority_params(name, change);
        let certificate = read(params.self_signed(&key).expect("a certificate").der());
        Self { certificate, params, pem: key.serialize_pem() }
    }

    pub(crate) fn authority(&self, name: &str, change: Change) -> Self {
        let (key, _) = key(KeyAlgorithm::EcdsaP256);
        let params = authority_params(name, change);
        let certificate = read(params.signed_by(&key, &self.issuer()).expect("a certificate").der());
        Self { certificate, params, pem: key.serialize_pem() }
    }

    /// A certificate for the key and the name that `other` has already.
    pub(crate) fn cross_certify(&self, other: &Self) -> Certificate {
        let key = KeyPair::from_pem(&other.pem).expect("a key");
        read(other.params.signed_by(&key, &self.issuer()).expect("a certificate").der())
    }

    /// One that signs lists whether its certificate lets it or not.
    fn issuer(&self) -> Issuer<'static, KeyPair> {
        let mut params = self.params.clone();
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        Issuer::new(params, KeyPair::from_pem(&self.pem).expect("a key"))
    }

    pub(crate) fn leaf(&self, name: &str, change: Change) -> Leaf {
        self.leaf_of(KeyAlgorithm::EcdsaP256, name, change)
    }

    pub(crate) fn leaf_of(&self, algorithm: KeyAlgorithm, name: &str, change: Change) -> Leaf {
        let (key, private) = key(algorithm);
        let certificate = leaf_params(name, change).signed_by(&key, &self.issuer()).expect("a certificate");
        Leaf { certificate: read(certificate.der()), key: private }
    }

    /// A list of these serial numbers, valid for a month around [`NOW`].
    pub(crate) fn list(&self, revoked: &[u64], change: fn(&mut CertificateRevocationListParams)) -> RevocationList {
        let [list] = <[_; 1]>::try_from(RevocationList::from_file(&self.list_der(revoked, change)).expect("a list"))
            .expect("one list");
        list
    }

    pub(crate) fn list_der(&self, revoked: &[u64], change: fn(&mut CertificateRevocationListParams)) -> Vec<u8> {
        let entry = |serial: &u64| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2026, 6, 1),
            reason_code: Some(RevocationReason::KeyCompromise),
            invalidity_date: None,
        };
        let mut params = CertificateRevocationListParams {
            this_update: date_time_ymd(2026, 6, 15),
            next_update: date_time_ymd(2026, 7, 15),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.iter().map(entry).collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        change(&mut params);
        params.signed_by(&self.issuer()).expect("a list").der().to_vec()
    }
}

/// A certificate that its own key signed, and that is no authority.
pub(crate) fn self_signed(name: &str, change: Change) -> Leaf {
    let (key, private) = key(KeyAlgorithm::EcdsaP256);
    let certificate = leaf_params(name, change).self_signed(&key).expect("a certificate");
    Leaf { certificate: read(certificate.der()), key: private }
}

/// One key, as both sides take it.
fn key(algorithm: KeyAlgorithm) -> (KeyPair, PrivateKey) {
    let (pem, _) = generate(algorithm, None).expect("a key");
    let private = PrivateKeyPem::parse(pem.as_bytes()).and_then(|pem| pem.into_key(None)).expect("a key");
    (KeyPair::from_pem(&pem).expect("a key"), private)
}

fn params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn authority_params(name: &str, change: Change) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    change(&mut params);
    params
}

fn leaf_params(name: &str, change: Change) -> CertificateParams {
    let mut params = params(name);
    params.is_ca = IsCa::ExplicitNoCa;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::CodeSigning];
    change(&mut params);
    params
}

fn read(der: &[u8]) -> Certificate {
    Certificate::from_der(der).expect("a certificate")
}
