//! The `openssl` command line: keys and certificates as files in one folder.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A kind of key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum KeyKind {
    Rsa2048,
    Rsa3072,
    P256,
    P384,
}

impl KeyKind {
    pub(crate) const ALL: [Self; 4] = [Self::Rsa2048, Self::Rsa3072, Self::P256, Self::P384];

    /// The hash that it signs with.
    pub(super) fn hash(self) -> &'static str {
        if self == Self::P384 { "sha384" } else { "sha256" }
    }

    fn arguments(self) -> &'static str {
        match self {
            Self::Rsa2048 => "-algorithm RSA -pkeyopt rsa_keygen_bits:2048",
            Self::Rsa3072 => "-algorithm RSA -pkeyopt rsa_keygen_bits:3072",
            Self::P256 => "-algorithm EC -pkeyopt ec_paramgen_curve:P-256",
            Self::P384 => "-algorithm EC -pkeyopt ec_paramgen_curve:P-384",
        }
    }
}

/// When a certificate is valid, in seconds from now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Validity {
    from: i64,
    to: i64,
}

impl Validity {
    /// From this many seconds after now, or before now if negative.
    pub(crate) const fn seconds(from: i64, to: i64) -> Self {
        Self { from, to }
    }

    /// As [`Self::seconds`], in days.
    pub(crate) const fn days(from: i64, to: i64) -> Self {
        Self::seconds(from * DAY, to * DAY)
    }
}

const DAY: i64 = 24 * 60 * 60;

/// What a certificate may be used for: a section of the configuration.
#[derive(Clone, Copy)]
pub(super) enum Usage {
    Authority,
    TimeStamping,
    CodeSigning,
}

impl Usage {
    fn section(self) -> &'static str {
        match self {
            Self::Authority => "authority",
            Self::TimeStamping => "time_stamping",
            Self::CodeSigning => "code_signing",
        }
    }
}

/// Who signs a certificate.
#[derive(Clone, Copy)]
pub(super) enum Issuer<'a> {
    Itself,
    Named(&'a str),
}

const CONFIGURATION: &str = "\
[req]
distinguished_name = name
[name]
[ca]
default_ca = issue
[issue]
database = index.txt
serial = ca.srl
new_certs_dir = issued
unique_subject = no
policy = any_name
[any_name]
commonName = supplied
[authority]
basicConstraints = critical, CA:TRUE
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[time_stamping]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, timeStamping
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[code_signing]
basicConstraints = critical, CA:FALSE
keyUsage = critical, digitalSignature
extendedKeyUsage = codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
";

/// Certificates in a folder: `NAME.pem`, each with its private key `NAME.key`.
pub(super) struct Pki<'a> {
    folder: &'a Path,
}

impl<'a> Pki<'a> {
    /// Prepares the folder, which exists.
    pub(super) fn new(folder: &'a Path) -> Self {
        fs::write(folder.join("openssl.cnf"), CONFIGURATION).expect("written");
        fs::write(folder.join("index.txt"), "").expect("written");
        fs::create_dir(folder.join("issued")).expect("a folder");
        Self { folder }
    }

    /// Makes a key and its certificate.
    pub(super) fn issue(&self, name: &str, key: KeyKind, usage: Usage, validity: Validity, issuer: Issuer<'_>) {
        self.run(&format!("genpkey {} -out {name}.key", key.arguments()));
        self.run(&format!("req -new -config openssl.cnf -key {name}.key -subj /CN={name} -out {name}.csr"));
        let signer = match issuer {
            Issuer::Itself => format!("-selfsign -keyfile {name}.key"),
            Issuer::Named(issuer) => format!("-cert {issuer}.pem -keyfile {issuer}.key"),
        };
        // Unlike `x509 -req`, `ca` can be told when a certificate begins to be valid.
        self.run(&format!(
            "ca -batch -notext -create_serial -config openssl.cnf -md sha256 -extensions {section} {signer} \
             -startdate {from} -enddate {to} -in {name}.csr -out {name}.pem",
            section = usage.section(),
            from = generalized_time(validity.from),
            to = generalized_time(validity.to),
        ));
    }

    fn run(&self, arguments: &str) {
        openssl(self.folder, arguments).unwrap_or_else(|error| panic!("openssl {arguments}: {error}"));
    }
}

/// Runs `openssl` in a folder: what it prints, or what it complains of. No argument has a space in it.
pub(crate) fn openssl(folder: &Path, arguments: &str) -> Result<String, String> {
    let mut command = Command::new("openssl");
    let output = command.args(arguments.split(' ')).current_dir(folder).output().map_err(|error| error.to_string())?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Whether there is an `openssl`; where not, says that the test is skipped. CI has to have it.
pub(crate) fn has_openssl(test: &str) -> bool {
    let Err(error) = openssl(Path::new("."), "version") else { return true };
    assert!(std::env::var_os("CI").is_none(), "{test} needs openssl: {error}");
    // libtest captures what the macros print.
    let _ = writeln!(std::io::stderr(), "skipped {test}: openssl: {error}");
    false
}

/// The time this many seconds from now, as `openssl` reads it: `20260102030405Z`.
fn generalized_time(seconds_from_now: i64) -> String {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).as_ref().map_or(0, Duration::as_secs);
    let seconds = i64::try_from(since_epoch).expect("a time in range") + seconds_from_now;
    let (year, month, day) = civil(seconds.div_euclid(DAY));
    let of_day = seconds.rem_euclid(DAY);
    format!("{year:04}{month:02}{day:02}{:02}{:02}{:02}Z", of_day / 3600, of_day / 60 % 60, of_day % 60)
}

/// Year, month and day of a number of days since 1970, in the proleptic Gregorian calendar.
fn civil(days: i64) -> (i64, i64, i64) {
    // Years that begin in March have their leap day last; 719468 days lead from such a year 0 to 1970.
    let days = days + 719_468;
    let (era, of_era) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[test]
fn dates_are_those_of_the_calendar() {
    let rows = [
        (-1, (1969, 12, 31)),
        (0, (1970, 1, 1)),
        (11_016, (2000, 2, 29)),
        (11_017, (2000, 3, 1)),
        (20_781, (2026, 11, 24)),
        (47_540, (2100, 2, 28)),
        (47_541, (2100, 3, 1)),
    ];
    for (days, date) in rows {
        assert_eq!(civil(days), date, "{days}");
    }
}
