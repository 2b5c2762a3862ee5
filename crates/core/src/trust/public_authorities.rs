//! The public certificate authorities, as Mozilla trusts them.

use crate::certificate::Certificate;

/// The public authorities that the tool was built with.
///
/// They vouch for names of servers, and some of them for those of people and companies; none for models.
#[must_use]
pub fn public_authorities() -> Vec<Certificate> {
    let certificates = webpki_root_certs::TLS_SERVER_ROOT_CERTS.iter();
    certificates.filter_map(|der| Certificate::from_der(der).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_can_be_read() {
        let (all, readable) = (webpki_root_certs::TLS_SERVER_ROOT_CERTS.len(), public_authorities().len());
        assert!(all > 100 && readable + 3 >= all, "{readable} of {all}");
    }
}
