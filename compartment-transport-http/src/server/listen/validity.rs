//! When a certificate counts: the one part of it that is read here. Whether it is to be believed is for those who connect.

use compartment_core::Timestamp;

/// From when to when a certificate counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Validity {
    /// From this moment on.
    pub not_before: Timestamp,
    /// Until this moment.
    pub not_after: Timestamp,
}

const SEQUENCE: u8 = 0x30;
const INTEGER: u8 = 0x02;
const VERSION: u8 = 0xa0;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;

impl Validity {
    /// Reads it from a certificate (X.509, DER); nothing where that is none.
    pub(super) fn of(certificate: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(certificate).value(SEQUENCE)?);
        let mut signed = Der(certificate.value(SEQUENCE)?);
        if signed.0.first() == Some(&VERSION) {
            signed.value(VERSION)?;
        }
        // The serial number, the algorithm of the signature, who has signed.
        for tag in [INTEGER, SEQUENCE, SEQUENCE] {
            signed.value(tag)?;
        }
        let mut validity = Der(signed.value(SEQUENCE)?);
        Some(Self { not_before: validity.time()?, not_after: validity.time()? })
    }
}

/// Values of DER, one after the other.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// What is in the next value, where it has this tag.
    fn value(&mut self, tag: u8) -> Option<&'a [u8]> {
        let (&found, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        // Short lengths are one byte; of long ones the first says how many bytes follow.
        let (length, rest) = match usize::from(first) {
            short @ 0..=0x7f => (short, rest),
            long @ 0x81..=0x84 => {
                let (bytes, rest) = rest.split_at_checked(long - 0x80)?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (value, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        (found == tag).then_some(value)
    }

    fn time(&mut self) -> Option<Timestamp> {
        let tag = *self.0.first()?;
        let text = str::from_utf8(self.value(tag)?).ok()?.strip_suffix('Z')?;
        // Two digits of a year are of the hundred years from 1950 on.
        let text = match tag {
            GENERALIZED_TIME => text.to_owned(),
            UTC_TIME if text.as_bytes().first()? >= &b'5' => format!("19{text}"),
            UTC_TIME => format!("20{text}"),
            _ => return None,
        };
        if text.len() != 14 || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let part = |from: usize| &text[from..from + 2];
        let (date, time) =
            ([&text[..4], part(4), part(6)].join("-"), [part(8), part(10), part(12)].join(":"));
        // Certificates without an end name the last second of the year 9999, which is later than any moment here.
        let endless = || text.starts_with("9999").then_some(Timestamp::MAX);
        format!("{date}T{time}Z").parse().ok().or_else(endless)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, date_time_ymd};

    use super::*;

    fn certificate(from: i32, to: i32) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["hub.example.org".to_owned()]).unwrap();
        params.not_before = date_time_ymd(from, 1, 2);
        params.not_after = date_time_ymd(to, 3, 4);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_when_it_counts() {
        for (from, to) in [(1975, 2049), (2026, 2050), (2026, 9999)] {
            let validity = Validity::of(&certificate(from, to)).unwrap();
            assert_eq!(validity.not_before.to_string(), format!("{from}-01-02T00:00:00Z"));
            assert_eq!(validity.not_after.to_string(), format!("{to}-03-04T00:00:00Z"));
        }
    }

    #[test]
    fn what_is_no_certificate_says_nothing() {
        let good = certificate(2026, 2027);
        for end in 0..good.len().min(200) {
            assert_eq!(Validity::of(&good[..end]), None);
        }
        for at in 0..good.len().min(200) {
            for byte in [0, 0x30, 0x80, 0x84, 0xff] {
                let mut bad = good.clone();
                bad[at] = byte;
                let _any = Validity::of(&bad);
            }
        }
        assert_eq!(Der(b"\x18\x0f99991231235959Z").time(), Some(Timestamp::MAX));
        assert_eq!(Validity::of(b"\x30\x84\xff\xff\xff\xff"), None);
    }
}
