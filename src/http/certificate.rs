//! Reads of an X.509 certificate what errors about it name ([RFC 5280][rfc]): whose it is, until
//! when, for what key. Decides nothing by itself; whatever is not as expected reads as nothing.
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc5280#section-4.1

use jiff::civil;
use rustls::pki_types::UnixTime;

/// What a certificate says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// 1 to 3.
    pub(super) version: u8,
    /// `CN=registry.example`, or the first thing that the subject says.
    pub(super) subject: String,
    /// The same of who signed it.
    pub(super) issuer: String,
    /// Whether subject and issuer are the same.
    pub(super) signs_itself: bool,
    /// Since when it is valid, in seconds since 1970.
    pub(super) not_before: i64,
    /// Until when.
    pub(super) not_after: i64,
    /// Whether its key is on a curve that is not supported, and on which.
    pub(super) odd_curve: Option<&'static str>,
    /// What it says of being an authority.
    pub(super) authority: Option<bool>,
    /// Whether it says for which hosts it is.
    pub(super) has_names: bool,
}

const SEQUENCE: u8 = 0x30;
const OID: u8 = 0x06;
const UTC_TIME: u8 = 0x17;

/// Object identifiers, as DER has them.
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 0x13];
const ALTERNATIVE_NAMES: &[u8] = &[0x55, 0x1d, 0x11];
const ELLIPTIC_CURVE: &[u8] = &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01];
const CURVES: [(&[u8], &str); 5] = [
    (&[0x2b, 0x81, 0x04, 0x00, 0x23], "P-521"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x21], "P-224"),
    (&[0x2b, 0x81, 0x04, 0x00, 0x0a], "secp256k1"),
    (&[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x07], "brainpoolP256r1"),
    (&[0x2b, 0x24, 0x03, 0x03, 0x02, 0x08, 0x01, 0x01, 0x0b], "brainpoolP384r1"),
];

/// What is left of some DER.
struct Der<'a>(&'a [u8]);

impl<'a> Der<'a> {
    /// The next element: its tag and content.
    fn next(&mut self) -> Option<(u8, &'a [u8])> {
        let (&tag, rest) = self.0.split_first()?;
        let (&first, rest) = rest.split_first()?;
        let (length, rest) = match first {
            0..=0x7f => (usize::from(first), rest),
            0x81..=0x83 => {
                let (bytes, rest) = rest.split_at_checked(usize::from(first & 0x0f))?;
                (bytes.iter().fold(0, |length, byte| length << 8 | usize::from(*byte)), rest)
            }
            _ => return None,
        };
        let (content, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some((tag, content))
    }

    fn expect(&mut self, wanted: u8) -> Option<&'a [u8]> {
        self.next().filter(|(tag, _)| *tag == wanted).map(|(_, content)| content)
    }
}

impl Facts {
    /// Reads a certificate in DER.
    pub(super) fn read(der: &[u8]) -> Option<Self> {
        let mut certificate = Der(Der(der).expect(SEQUENCE)?);
        let mut body = Der(certificate.expect(SEQUENCE)?);
        let mut version = 1;
        let mut serial = body.next()?;
        if serial.0 == 0xa0 {
            version = Der(serial.1).expect(0x02)?.last()?.saturating_add(1);
            serial = body.next()?;
        }
        (serial.0 == 0x02).then_some(())?;
        body.expect(SEQUENCE)?;
        let issuer = body.expect(SEQUENCE)?;
        let mut validity = Der(body.expect(SEQUENCE)?);
        let not_before = time(validity.next()?)?;
        let not_after = time(validity.next()?)?;
        let subject = body.expect(SEQUENCE)?;
        let mut key = Der(Der(body.expect(SEQUENCE)?).expect(SEQUENCE)?);
        let odd_curve = match key.expect(OID)? {
            ELLIPTIC_CURVE => key.expect(OID).and_then(|curve| {
                CURVES.iter().find(|(oid, _)| *oid == curve).map(|(_, name)| *name)
            }),
            _ => None,
        };
        let mut found = Self {
            version,
            subject: name(subject)?,
            issuer: name(issuer)?,
            signs_itself: subject == issuer,
            not_before,
            not_after,
            odd_curve,
            authority: None,
            has_names: false,
        };
        while let Some((tag, content)) = body.next() {
            if tag == 0xa3 {
                found.extensions(Der(Der(content).expect(SEQUENCE)?))?;
            }
        }
        Some(found)
    }

    fn extensions(&mut self, mut list: Der<'_>) -> Option<()> {
        while let Some((SEQUENCE, content)) = list.next() {
            let mut extension = Der(content);
            let id = extension.expect(OID)?;
            let mut value = extension.next()?;
            if value.0 == 0x01 {
                value = extension.next()?;
            }
            match id {
                ALTERNATIVE_NAMES => self.has_names = true,
                BASIC_CONSTRAINTS => {
                    let first = Der(Der(value.1).expect(SEQUENCE)?).next();
                    self.authority = Some(matches!(first, Some((0x01, [0xff]))));
                }
                _ => {}
            }
        }
        Some(())
    }

    /// Whether it is valid at a time.
    pub(super) fn is_valid_at(&self, now: UnixTime) -> bool {
        let now = i64::try_from(now.as_secs()).unwrap_or(i64::MAX);
        self.not_before <= now && now <= self.not_after
    }
}

/// A distinguished name's common name, or the first thing that it says, on one line.
fn name(content: &[u8]) -> Option<String> {
    let mut parts = Vec::new();
    let mut sets = Der(content);
    while let Some((_, set)) = sets.next() {
        let mut pair = Der(Der(set).expect(SEQUENCE)?);
        parts.push((pair.expect(OID)?, pair.next()?.1));
    }
    let common = parts.iter().find(|(id, _)| *id == COMMON_NAME);
    let Some((id, text)) = common.or(parts.first()) else { return Some("no name".to_owned()) };
    let text = String::from_utf8_lossy(text);
    let shown: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
    Some(if *id == COMMON_NAME { format!("CN={shown}") } else { shown })
}

/// A time as certificates have it, in seconds since 1970.
fn time((tag, content): (u8, &[u8])) -> Option<i64> {
    let text = std::str::from_utf8(content).ok()?.strip_suffix('Z')?;
    if !text.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let (year, rest) = if tag == UTC_TIME {
        let (year, rest) = text.split_at_checked(2)?;
        let year: i16 = year.parse().ok()?;
        (if year < 50 { year + 2000 } else { year + 1900 }, rest)
    } else {
        let (year, rest) = text.split_at_checked(4)?;
        (year.parse().ok()?, rest)
    };
    let two = |at: usize| rest.get(at..at + 2)?.parse::<i8>().ok();
    (rest.len() == 10).then_some(())?;
    let time = civil::DateTime::new(year, two(0)?, two(2)?, two(4)?, two(6)?, two(8)?, 0).ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().as_second())
}

#[cfg(test)]
mod tests {
    use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
        let mut params = CertificateParams::new(vec!["r.example".to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, "r.example");
        params.not_before = rcgen::date_time_ymd(2001, 2, 3);
        params.not_after = rcgen::date_time_ymd(2051, 2, 3);
        change(&mut params);
        params.self_signed(&KeyPair::generate().unwrap()).unwrap().der().to_vec()
    }

    #[test]
    fn a_certificate_says_whose_it_is() {
        let facts = Facts::read(&made(|_| {})).unwrap();
        assert_eq!(facts.subject, "CN=r.example");
        assert_eq!((facts.version, facts.signs_itself, facts.has_names), (3, true, true));
        assert_eq!((facts.odd_curve, facts.authority), (None, None));
        // One is written with two digits of the year, the other with four.
        assert_eq!((facts.not_before, facts.not_after), (981_158_400, 2_558_995_200));
        let at = |seconds| UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        assert!(facts.is_valid_at(at(981_158_400)) && !facts.is_valid_at(at(981_158_399)));
        assert!(!facts.is_valid_at(at(2_558_995_201)));
        let authority = |is| Facts::read(&made(|params| params.is_ca = is)).unwrap().authority;
        assert_eq!(authority(IsCa::Ca(BasicConstraints::Unconstrained)), Some(true));
        assert_eq!(authority(IsCa::ExplicitNoCa), Some(false));
    }

    #[test]
    fn whatever_is_cut_or_changed_is_read_to_its_end() {
        let whole = made(|_| {});
        for end in 0..whole.len() {
            assert_eq!(Facts::read(&whole[..end]), None, "{end}");
        }
        for at in 0..whole.len() {
            let mut changed = whole.clone();
            changed[at] ^= 0xff;
            let _ = Facts::read(&changed);
        }
    }
}
