//! Certificate policies (RFC 5280 §6.1, as RFC 9618 has it: the policies of a level are a set, so that no certificate makes
//! them multiply).
//!
//! Any policy will do: what can fail is an issuer's demand that there be one.

use std::collections::{BTreeMap, BTreeSet};

use x509_cert::der::asn1::ObjectIdentifier;
use x509_cert::ext::pkix::{CertificatePolicies, InhibitAnyPolicy, PolicyConstraints, PolicyMappings};

use super::{Certificate, UsageError};

const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
const ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32.0");
const POLICY_MAPPINGS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.33");
const POLICY_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.36");
const INHIBIT_ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.54");

/// The state of the policy checks between two certificates of a path.
pub(super) struct Policies {
    /// The valid policies of the last certificate, each with the policies expected below it. Empty is §6.1's NULL.
    valid: BTreeMap<ObjectIdentifier, BTreeSet<ObjectIdentifier>>,
    /// How many more certificates may do without a policy, or use `anyPolicy` or mappings.
    explicit_policy: u32,
    inhibit_any: u32,
    policy_mapping: u32,
}

impl Policies {
    /// Before the first of `length` certificates.
    pub(super) fn new(length: usize) -> Self {
        let never = u32::try_from(length).unwrap_or(u32::MAX).saturating_add(1);
        let valid = BTreeMap::from([(ANY_POLICY, BTreeSet::from([ANY_POLICY]))]);
        Self { valid, explicit_policy: never, inhibit_any: never, policy_mapping: never }
    }

    /// §6.1.3(d) to (f). Whether the demands so far are met.
    pub(super) fn enter(&mut self, certificate: &Certificate, is_leaf: bool) -> Result<bool, UsageError> {
        let policies: Option<CertificatePolicies> = read(certificate, CERTIFICATE_POLICIES, "CertificatePolicies")?;
        let stated: BTreeSet<ObjectIdentifier> =
            policies.iter().flat_map(|policies| &policies.0).map(|policy| policy.policy_identifier).collect();
        let expected: BTreeSet<ObjectIdentifier> = self.valid.values().flatten().copied().collect();
        let mut valid = BTreeMap::new();
        for policy in stated.iter().filter(|policy| **policy != ANY_POLICY) {
            if self.valid.contains_key(&ANY_POLICY) || expected.contains(policy) {
                valid.insert(*policy, BTreeSet::from([*policy]));
            }
        }
        let any_counts = self.inhibit_any > 0 || (!is_leaf && certificate.is_self_issued());
        if stated.contains(&ANY_POLICY) && any_counts {
            for policy in expected {
                valid.entry(policy).or_insert_with(|| BTreeSet::from([policy]));
            }
        }
        self.valid = valid;
        Ok(self.explicit_policy > 0 || !self.valid.is_empty())
    }

    /// §6.1.4(a), (b), (h), (i) and (j): what `issuer` says of those below it.
    pub(super) fn leave(&mut self, issuer: &Certificate) -> Result<(), UsageError> {
        self.map(issuer)?;
        if !issuer.is_self_issued() {
            for counter in [&mut self.explicit_policy, &mut self.inhibit_any, &mut self.policy_mapping] {
                *counter = counter.saturating_sub(1);
            }
        }
        self.constrain(issuer)
    }

    /// §6.1.4(i) and (j).
    pub(super) fn constrain(&mut self, issuer: &Certificate) -> Result<(), UsageError> {
        let constraints: Option<PolicyConstraints> = read(issuer, POLICY_CONSTRAINTS, "PolicyConstraints")?;
        if let Some(constraints) = constraints {
            self.explicit_policy = self.explicit_policy.min(constraints.require_explicit_policy.unwrap_or(u32::MAX));
            self.policy_mapping = self.policy_mapping.min(constraints.inhibit_policy_mapping.unwrap_or(u32::MAX));
        }
        let inhibit: Option<InhibitAnyPolicy> = read(issuer, INHIBIT_ANY_POLICY, "InhibitAnyPolicy")?;
        self.inhibit_any = self.inhibit_any.min(inhibit.map_or(u32::MAX, |inhibit| inhibit.0));
        Ok(())
    }

    /// §6.1.5(a), (b) and (g). Whether the demands are met at the leaf.
    pub(super) fn finish(mut self, leaf: &Certificate) -> Result<bool, UsageError> {
        self.explicit_policy = self.explicit_policy.saturating_sub(1);
        let constraints: Option<PolicyConstraints> = read(leaf, POLICY_CONSTRAINTS, "PolicyConstraints")?;
        if constraints.is_some_and(|constraints| constraints.require_explicit_policy == Some(0)) {
            self.explicit_policy = 0;
        }
        Ok(self.explicit_policy > 0 || !self.valid.is_empty())
    }

    fn map(&mut self, issuer: &Certificate) -> Result<(), UsageError> {
        let Some(mappings): Option<PolicyMappings> = read(issuer, POLICY_MAPPINGS, "PolicyMappings")? else {
            return Ok(());
        };
        let mut targets: BTreeMap<ObjectIdentifier, BTreeSet<ObjectIdentifier>> = BTreeMap::new();
        for mapping in &mappings.0 {
            if mapping.issuer_domain_policy == ANY_POLICY || mapping.subject_domain_policy == ANY_POLICY {
                return Err(UsageError::Malformed { extension: "PolicyMappings" });
            }
            targets.entry(mapping.issuer_domain_policy).or_default().insert(mapping.subject_domain_policy);
        }
        for (policy, expected) in targets {
            if self.policy_mapping == 0 {
                self.valid.remove(&policy);
            } else if self.valid.contains_key(&policy) || self.valid.contains_key(&ANY_POLICY) {
                self.valid.insert(policy, expected);
            }
        }
        Ok(())
    }
}

fn read<T: x509_cert::der::DecodeOwned>(
    certificate: &Certificate,
    oid: ObjectIdentifier,
    extension: &'static str,
) -> Result<Option<T>, UsageError> {
    certificate.extension(oid).map_err(|_| UsageError::Malformed { extension })
}
