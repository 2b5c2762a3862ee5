//! Receipts: whether files that did not change are read.

use std::time::Duration;

use model_transparency::receipt::UnknownFileSystems;

use super::first_given;

/// Under what the help lists flags about receipts.
pub(crate) const RECEIPTS: &str = "Receipts: files that need not be read again";

/// Which receipts are believed.
#[derive(Debug, Default, clap::Args)]
pub(crate) struct ReceiptArgs {
    /// Read a file again if it was last read longer ago, such as 90s, 12h or 7d [default: however long ago]
    #[arg(long, help_heading = RECEIPTS, value_name = "AGE", value_parser = age)]
    receipt_max_age: Option<Duration>,

    /// Keep receipts on file systems too that are not known to keep the time of every change: NFS, SMB, FUSE, overlays, …
    #[arg(long, help_heading = RECEIPTS)]
    receipt_allow_network_fs: bool,
}

impl ReceiptArgs {
    /// A flag that means nothing without a receipt.
    pub(crate) fn first_flag(&self) -> Option<&'static str> {
        let flags = [
            ("--receipt-max-age", self.receipt_max_age.is_some()),
            ("--receipt-allow-network-fs", self.receipt_allow_network_fs),
        ];
        first_given(flags)
    }

    pub(crate) fn max_age(&self) -> Option<Duration> {
        self.receipt_max_age
    }

    pub(crate) fn unknown_file_systems(&self) -> UnknownFileSystems {
        if self.receipt_allow_network_fs { UnknownFileSystems::Believe } else { UnknownFileSystems::Refuse }
    }
}

/// Days, hours, minutes and seconds, as people write them.
fn age(text: &str) -> Result<Duration, String> {
    let expected = || "expected a length of time such as 90s, 12h or 7d".to_owned();
    let span: jiff::Span = text.parse().map_err(|_| expected())?;
    let length = span.to_duration(jiff::SpanRelativeTo::days_are_24_hours()).map_err(|_| expected())?;
    Duration::try_from(length).map_err(|_| expected())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_read_as_people_write_them() {
        for (text, seconds) in
            [("90s", 90), ("12h", 43_200), ("7d", 604_800), ("1d 30m", 88_200), ("0s", 0), ("PT1H", 3_600)]
        {
            assert_eq!(age(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "12", "-1h", "1 month", "h", "1h ago", "12x"] {
            assert!(age(text).is_err(), "{text}");
        }
    }
}
