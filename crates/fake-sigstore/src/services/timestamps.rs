//! The timestamp authority (RFC 3161).

use std::sync::Arc;

use cms::cert::{CertificateChoices, IssuerAndSerialNumber};
use cms::content_info::{CmsVersion, ContentInfo};
use cms::signed_data::{
    CertificateSet, EncapsulatedContentInfo, SignedData, SignerIdentifier, SignerInfo, SignerInfos,
};
use der::asn1::{GeneralizedTime, Int, ObjectIdentifier, OctetString, SetOfVec};
use der::{Any, Decode, Encode, Sequence};
use x509_cert::Certificate;
use x509_cert::attr::Attribute;
use x509_cert::spki::AlgorithmIdentifierOwned;

use crate::certificate::{Authority, Period, sha256_algorithm, signature_algorithm};
use crate::desk::{Desk, Lie};
use crate::encoding::{certificate_pem, date_time};
use crate::http::{Handler, Request, Response};
use crate::key::{Key, KeyKind, random, sha256};

const SIGNED_DATA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.7.2");
const TST_INFO: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.1.4");
const CONTENT_TYPE: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.3");
const MESSAGE_DIGEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.4");
const SIGNING_CERTIFICATE_V2: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.16.2.47");
const POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.4.1.57264.2");

const GRANTED: u8 = 0;
const REJECTION: u8 = 2;

/// Stamps the time on whatever digest it gets.
pub(crate) struct Timestamps {
    pub(crate) root: Authority,
    pub(crate) certificate: Vec<u8>,
    key: Key,
    /// A key that is not the authority's.
    stranger: Key,
    desk: Arc<Desk>,
}

#[derive(Clone, Sequence)]
struct MessageImprint {
    hash_algorithm: AlgorithmIdentifierOwned,
    hashed_message: OctetString,
}

#[derive(Sequence)]
struct TimeStampReq {
    version: u8,
    message_imprint: MessageImprint,
    #[asn1(optional = "true")]
    req_policy: Option<ObjectIdentifier>,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
    #[asn1(default = "bool::default")]
    cert_req: bool,
}

#[derive(Sequence)]
struct PkiStatusInfo {
    status: u8,
}

#[derive(Sequence)]
struct TimeStampResp {
    status: PkiStatusInfo,
    #[asn1(optional = "true")]
    time_stamp_token: Option<ContentInfo>,
}

#[derive(Sequence)]
struct Accuracy {
    seconds: u64,
}

#[derive(Sequence)]
struct TstInfo {
    version: u8,
    policy: ObjectIdentifier,
    message_imprint: MessageImprint,
    serial_number: Int,
    gen_time: GeneralizedTime,
    accuracy: Accuracy,
    #[asn1(optional = "true")]
    nonce: Option<Int>,
}

/// RFC 5035, with the hash that is its default: SHA-256.
#[derive(Sequence)]
struct EssCertIdV2 {
    cert_hash: OctetString,
}

#[derive(Sequence)]
struct SigningCertificateV2 {
    certs: Vec<EssCertIdV2>,
}

impl Timestamps {
    pub(crate) fn new(desk: Arc<Desk>, period: Period) -> Self {
        let (root, key) = (Authority::root("sigstore-tsa-selfsigned", period), Key::generate(KeyKind::EcdsaP256));
        let certificate = root.timestamper("sigstore-tsa", period, key.spki());
        Self { root, certificate, key, stranger: Key::generate(KeyKind::EcdsaP256), desk }
    }

    fn stamp(&self, request: &Request) -> Result<Response, &'static str> {
        let query = TimeStampReq::from_der(&request.body).map_err(|_| "Error generating timestamp response")?;
        let length = match query.message_imprint.hash_algorithm.oid.to_string().as_str() {
            "2.16.840.1.101.3.4.2.1" => 32,
            "2.16.840.1.101.3.4.2.2" => 48,
            "2.16.840.1.101.3.4.2.3" => 64,
            "1.3.14.3.2.26" => return Err("Weak hash algorithm in timestamp request"),
            _ => return Err("Error generating timestamp response"),
        };
        if query.message_imprint.hashed_message.as_bytes().len() != length {
            return Err("Message digest has incorrect length for specified algorithm");
        }
        if query.req_policy.is_some_and(|policy| policy != POLICY) {
            return Err("unaccepted policy: requested TSA policy is not supported by the TSA");
        }
        let answer = if self.desk.lies(Lie::TimestampRejected) {
            TimeStampResp { status: PkiStatusInfo { status: REJECTION }, time_stamp_token: None }
        } else {
            TimeStampResp { status: PkiStatusInfo { status: GRANTED }, time_stamp_token: Some(self.token(query)) }
        };
        Ok(Response::new(200, "application/timestamp-reply", answer.to_der().expect("DER")))
    }

    fn token(&self, query: TimeStampReq) -> ContentInfo {
        let TimeStampReq { mut message_imprint, mut nonce, cert_req, .. } = query;
        if self.desk.lies(Lie::TimestampOfAnotherSignature) {
            let length = message_imprint.hashed_message.as_bytes().len();
            message_imprint.hashed_message = OctetString::new(vec![0x5a; length]).expect("short");
        }
        if self.desk.lies(Lie::TimestampOfAnotherNonce) {
            nonce = Some(positive(random::<8>()));
        }
        let time = date_time(self.desk.now());
        let info = TstInfo {
            version: 1,
            policy: POLICY,
            message_imprint,
            serial_number: positive(random::<16>()),
            gen_time: GeneralizedTime::from_date_time(time),
            accuracy: Accuracy { seconds: 1 },
            nonce,
        };
        self.signed(&info.to_der().expect("DER"), cert_req)
    }

    /// RFC 5652 §5.
    fn signed(&self, info: &[u8], with_certificate: bool) -> ContentInfo {
        let certificate = Certificate::from_der(&self.certificate).expect("a certificate");
        let cert_hash = OctetString::new(sha256(&self.certificate)).expect("short");
        let attributes = set([
            attribute(CONTENT_TYPE, &TST_INFO),
            attribute(MESSAGE_DIGEST, &OctetString::new(sha256(info)).expect("short")),
            attribute(SIGNING_CERTIFICATE_V2, &SigningCertificateV2 { certs: vec![EssCertIdV2 { cert_hash }] }),
        ]);
        let key = if self.desk.lies(Lie::TimestampOfAnotherKey) { &self.stranger } else { &self.key };
        let signature = key.sign(&attributes.to_der().expect("DER"));
        let signer = SignerInfo {
            version: CmsVersion::V1,
            sid: SignerIdentifier::IssuerAndSerialNumber(IssuerAndSerialNumber {
                issuer: certificate.tbs_certificate.issuer.clone(),
                serial_number: certificate.tbs_certificate.serial_number.clone(),
            }),
            digest_alg: sha256_algorithm(),
            signed_attrs: Some(attributes),
            signature_algorithm: signature_algorithm(&self.key),
            signature: OctetString::new(signature).expect("short"),
            unsigned_attrs: None,
        };
        let content = OctetString::new(info).expect("short");
        let data = SignedData {
            version: CmsVersion::V3,
            digest_algorithms: set([sha256_algorithm()]),
            encap_content_info: EncapsulatedContentInfo {
                econtent_type: TST_INFO,
                econtent: Some(Any::encode_from(&content).expect("DER")),
            },
            certificates: with_certificate.then(|| CertificateSet(set([CertificateChoices::Certificate(certificate)]))),
            crls: None,
            signer_infos: SignerInfos(set([signer])),
        };
        ContentInfo { content_type: SIGNED_DATA, content: Any::encode_from(&data).expect("DER") }
    }
}

fn set<T: der::DerOrd, const N: usize>(items: [T; N]) -> SetOfVec<T> {
    SetOfVec::try_from(items).expect("no duplicates")
}

fn attribute(oid: ObjectIdentifier, value: &impl Encode) -> Attribute {
    let value = Any::from_der(&value.to_der().expect("DER")).expect("DER");
    Attribute { oid, values: set([value]) }
}

fn positive<const N: usize>(mut bytes: [u8; N]) -> Int {
    // Neither negative nor with a leading zero.
    bytes[0] = bytes[0] & 0x7f | 0x40;
    Int::new(&bytes).expect("short")
}

impl Handler for Timestamps {
    fn answer(&self, request: &Request) -> Response {
        let error = |status, message| self.desk.service().error(status, message);
        match (request.method.as_str(), request.path.as_str()) {
            ("POST", "/api/v1/timestamp") if request.media_type() != "application/timestamp-query" => {
                error(415, "Error generating timestamp response")
            }
            ("POST", "/api/v1/timestamp") => self.stamp(request).unwrap_or_else(|message| error(400, message)),
            ("GET", "/api/v1/timestamp/certchain") => {
                let chain = [&self.certificate, &self.root.certificate].map(|der| certificate_pem(der)).concat();
                Response::new(200, "application/pem-certificate-chain", chain)
            }
            _ => error(404, "Not Found"),
        }
    }
}
