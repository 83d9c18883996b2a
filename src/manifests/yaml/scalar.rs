//! What a scalar means to Kubernetes: YAML 1.1 as kubectl reads it through go-yaml.
//!
//! `0644` is 420, `yes` is true, a date stays the string it is. The rules are those of go-yaml's
//! second version, differences from the YAML specification included.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{GeneralPurpose, GeneralPurposeConfig};
use serde_json::{Number, Value};

/// The prefix of YAML's own tags.
const YAML: &str = "tag:yaml.org,2002:";

/// What a scalar is before it becomes JSON.
#[derive(Clone, Debug, PartialEq)]
enum Resolved {
    Null,
    Bool(bool),
    Int(i64),
    /// An integer above the largest `i64`.
    Uint(u64),
    Float(f64),
    Text,
}

/// Whether a plain scalar of this text is a string.
pub(crate) fn is_string(text: &str) -> bool {
    resolve(text) == Resolved::Text
}

/// What a plain scalar means, as a text; null has none.
pub(crate) fn text(text: &str) -> Option<Cow<'_, str>> {
    match resolve(text) {
        Resolved::Text => Some(text.into()),
        Resolved::Null => None,
        Resolved::Bool(value) => Some(value.to_string().into()),
        Resolved::Int(value) => Some(value.to_string().into()),
        Resolved::Uint(value) => Some(value.to_string().into()),
        // `8080.0` is 8080 to Kubernetes.
        Resolved::Float(value) => Some(value.to_string().into()),
    }
}

/// The value of a scalar, or why it has none. `plain` is whether it stands without quotes, `tag`
/// its tag written out.
pub(crate) fn value(text: Cow<'_, str>, plain: bool, tag: Option<&str>) -> Result<Value, String> {
    let resolved = match tag.map(|tag| tag.strip_prefix(YAML)) {
        None if plain => resolve(&text),
        // A tag of its own makes no difference: the text is taken as it is.
        None | Some(None) => Resolved::Text,
        Some(Some("binary")) => return binary(&text).map(Value::String),
        Some(Some(suffix)) => tagged(&text, suffix)?,
    };
    match resolved {
        Resolved::Null => Ok(Value::Null),
        Resolved::Bool(value) => Ok(Value::Bool(value)),
        Resolved::Int(value) => Ok(value.into()),
        Resolved::Uint(value) => float(value as f64, &text),
        Resolved::Float(value) => float(value, &text),
        Resolved::Text => Ok(Value::String(text.into_owned())),
    }
}

/// What sort of value it is, for people.
pub(crate) fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "nothing",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a sequence",
        Value::Object(_) => "a mapping",
    }
}

/// Why a plain scalar is one thing to kubectl and another one to YAML 1.2. `is_glued` is whether it is a key
/// and a bracket or comma stands right behind its `:`, `is_flow` whether it is within brackets.
pub(crate) fn ambiguous(text: &str, is_glued: bool, is_flow: bool) -> Option<String> {
    if is_glued {
        Some(format!(
            "kubectl reads `{text}:` as one word here, and YAML 1.2 as the key `{text}`: write a blank \
             behind the `:`, or quotes around what is meant"
        ))
    } else if is_flow && text.len() > 1 && text.starts_with('?') {
        Some(format!(
            "kubectl reads a `?` inside brackets as the mark of a key, and YAML 1.2 as part of `{text}`: \
             write quotes around it"
        ))
    } else {
        None
    }
}

/// Whether a scalar is written as a number of JSON's and is larger than any that there is.
pub(crate) fn overflows(text: &str) -> bool {
    matches!(text.as_bytes(), [b'-' | b'0'..=b'9', ..])
        && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E'))
        && text.parse().is_ok_and(|value: f64| value.is_infinite())
}

/// The key that a scalar is: JSON's keys are strings.
pub(crate) fn key(text: &str, plain: bool, tag: Option<&str>) -> Result<String, String> {
    let resolved = match tag.map(|tag| tag.strip_prefix(YAML)) {
        None if plain => resolve(text),
        None | Some(None) => Resolved::Text,
        Some(Some("binary")) => return binary(text),
        Some(Some(suffix)) => tagged(text, suffix)?,
    };
    match resolved {
        Resolved::Text => Ok(text.to_owned()),
        Resolved::Bool(value) => Ok(value.to_string()),
        Resolved::Int(value) => Ok(value.to_string()),
        Resolved::Float(value) => Ok(float_key(value)),
        Resolved::Null => Err("a key cannot be null".to_owned()),
        Resolved::Uint(_) => Err(format!("`{text}` is too large for a key")),
    }
}

/// JSON's number for a float, an integer where it is one: Kubernetes tells `1` from `1.0` by its
/// value alone.
fn float(value: f64, text: &str) -> Result<Value, String> {
    // The cast is exact: below 2^63 every float without a fraction is an integer.
    if value.fract() == 0.0 && value.abs() < 9.2e18 {
        return Ok((value as i64).into());
    }
    Number::from_f64(value).map(Value::Number).ok_or_else(|| format!("JSON has no number `{text}`"))
}

/// A float as a key, as Go's `FormatFloat(value, 'g', -1, 32)` writes it.
fn float_key(value: f64) -> String {
    let value = value as f32;
    if value.is_nan() {
        return ".nan".to_owned();
    }
    if value.is_infinite() {
        return if value > 0.0 { ".inf" } else { "-.inf" }.to_owned();
    }
    let scientific = format!("{value:e}");
    let (digits, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    match exponent.parse::<i32>().unwrap_or(0) {
        -4..=5 => value.to_string(),
        exponent => {
            let sign = if exponent < 0 { '-' } else { '+' };
            format!("{digits}e{sign}{:02}", exponent.abs())
        }
    }
}

/// A scalar with one of YAML's own tags.
fn tagged(text: &str, suffix: &str) -> Result<Resolved, String> {
    let resolved = match (suffix, resolve(text)) {
        ("bool", found @ Resolved::Bool(_))
        | ("int", found @ (Resolved::Int(_) | Resolved::Uint(_)))
        | ("float", found @ Resolved::Float(_))
        | ("null", found @ Resolved::Null) => found,
        ("float", Resolved::Int(value)) => Resolved::Float(value as f64),
        ("timestamp", Resolved::Text) if is_dated(text) => Resolved::Text,
        ("bool" | "int" | "float" | "null" | "timestamp", _) => {
            return Err(format!("`{text}` cannot be read as a !!{suffix}"));
        }
        _ => Resolved::Text,
    };
    Ok(resolved)
}

/// Whether a text starts like a date, which is all that timestamps have in common.
fn is_dated(text: &str) -> bool {
    text.split_once('-')
        .is_some_and(|(year, _)| year.len() == 4 && year.bytes().all(|byte| byte.is_ascii_digit()))
}

fn resolve(text: &str) -> Resolved {
    match text.as_bytes().first() {
        None => Resolved::Null,
        Some(b'y' | b'Y' | b'n' | b'N' | b't' | b'T' | b'f' | b'F' | b'o' | b'O' | b'~') => {
            word(text)
        }
        Some(b'.' | b'+' | b'-' | b'0'..=b'9') => number(text),
        Some(_) => Resolved::Text,
    }
}

fn word(text: &str) -> Resolved {
    match text {
        "y" | "Y" | "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => {
            Resolved::Bool(true)
        }
        "n" | "N" | "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => {
            Resolved::Bool(false)
        }
        "~" | "null" | "Null" | "NULL" => Resolved::Null,
        _ => Resolved::Text,
    }
}

fn number(text: &str) -> Resolved {
    match text {
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" => {
            return Resolved::Float(f64::INFINITY);
        }
        "-.inf" | "-.Inf" | "-.INF" => return Resolved::Float(f64::NEG_INFINITY),
        _ => {}
    }
    // Behind a leading point an underscore has to stand between two digits.
    let bytes = text.as_bytes();
    let parted = |at: usize| {
        bytes[at - 1].is_ascii_digit() && bytes.get(at + 1).is_some_and(u8::is_ascii_digit)
    };
    if text.starts_with('.') && !text.match_indices('_').all(|(at, _)| parted(at)) {
        return Resolved::Text;
    }
    let plain = text.replace('_', "");
    integer(&plain).or_else(|| decimal(&plain)).unwrap_or(Resolved::Text)
}

/// An integer in Go's notation: `0x`, `0o`, `0b`, and a leading `0` for octal.
fn integer(text: &str) -> Option<Resolved> {
    let (negative, digits) = match text.as_bytes() {
        [b'-', ..] => (true, &text[1..]),
        [b'+', ..] => (false, &text[1..]),
        _ => (false, text),
    };
    let (radix, digits) = match digits.as_bytes() {
        [b'0', b'x' | b'X', ..] => (16, &digits[2..]),
        [b'0', b'o' | b'O', ..] => (8, &digits[2..]),
        // A quirk of go-yaml's, which reads what Go does not: the sign may follow the base.
        [b'0', b'b', b'-', ..] if digits.len() == text.len() => {
            return i64::from_str_radix(&digits[2..], 2).ok().map(Resolved::Int);
        }
        [b'0', b'b', b'+', ..] if digits.len() == text.len() => (2, &digits[3..]),
        [b'0', b'b' | b'B', ..] => (2, &digits[2..]),
        [b'0', _, ..] => (8, &digits[1..]),
        _ => (10, digits),
    };
    if !digits.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    match (negative, i64::try_from(magnitude)) {
        (false, Ok(value)) => Some(Resolved::Int(value)),
        // An unsigned number has no sign, not even a plus.
        (false, Err(_)) => (!text.starts_with('+')).then_some(Resolved::Uint(magnitude)),
        (true, _) => 0i64.checked_sub_unsigned(magnitude).map(Resolved::Int),
    }
}

/// A decimal float: digits with a point or an exponent, which infinity and hexadecimal are not.
fn decimal(text: &str) -> Option<Resolved> {
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (unsigned, None),
    };
    let mantissa_is_right = match mantissa.split_once('.') {
        Some((whole, part)) => {
            digits(whole) && digits(part) && !(whole.is_empty() && part.is_empty())
        }
        None => !mantissa.is_empty() && digits(mantissa),
    };
    let exponent_is_right = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['-', '+']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    if !mantissa_is_right || !exponent_is_right {
        return None;
    }
    // What is out of range is no number but a string.
    text.parse().ok().filter(|value: &f64| value.is_finite()).map(Resolved::Float)
}

/// The text that a `!!binary` scalar encodes.
fn binary(text: &str) -> Result<String, String> {
    let config = GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true);
    let digits: String = text.chars().filter(|c| !matches!(c, '\n' | '\r')).collect();
    let bytes = GeneralPurpose::new(&alphabet::STANDARD, config)
        .decode(digits)
        .map_err(|_| "this !!binary value is not valid base64".to_owned())?;
    let mut decoded = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        decoded.push_str(chunk.valid());
        // Go replaces every byte that is none of a character on its own.
        decoded.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    Ok(decoded)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn plain_scalars_are_what_kubectl_makes_of_them() {
        for (text, expected) in [
            ("0644", json!(420)),
            ("08", json!(8)),
            ("0o17", json!(15)),
            ("0x1f", json!(31)),
            ("-0x1F", json!(-31)),
            ("0b101", json!(5)),
            ("1_000", json!(1000)),
            ("_1", json!("_1")),
            ("0x", json!("0x")),
            ("+5", json!(5)),
            ("-5", json!(-5)),
            ("-", json!("-")),
            ("1e3", json!(1000)),
            ("1e-3", json!(0.001)),
            ("1.", json!(1)),
            (".5", json!(0.5)),
            (".5_0", json!(0.5)),
            ("._5", json!("._5")),
            (".5_", json!(".5_")),
            ("0b-11", json!(-3)),
            ("-0b11", json!(-3)),
            (".", json!(".")),
            ("1e400", json!("1e400")),
            ("9223372036854775807", json!(i64::MAX)),
            ("-9223372036854775808", json!(i64::MIN)),
            ("18446744073709551615", json!(18446744073709551615.0)),
            ("1.2.3", json!("1.2.3")),
            ("22:30", json!("22:30")),
            ("2001-12-14", json!("2001-12-14")),
            ("2001-12-14T21:59:43.10-05:00", json!("2001-12-14T21:59:43.10-05:00")),
            ("yes", json!(true)),
            ("Off", json!(false)),
            ("y", json!(true)),
            ("yEs", json!("yEs")),
            ("~", json!(null)),
            ("", json!(null)),
            ("Null", json!(null)),
            ("nULL", json!("nULL")),
            ("inf", json!("inf")),
            ("0x1p4", json!("0x1p4")),
            ("+-5", json!("+-5")),
            ("0x+5", json!("0x+5")),
        ] {
            assert_eq!(value(text.into(), true, None), Ok(expected), "{text}");
        }
        assert_eq!(value("0644".into(), false, None), Ok(json!("0644")));
        assert!(value(".inf".into(), true, None).is_err());
    }

    #[test]
    fn tags_choose_and_refuse() {
        let tag = |suffix: &str| format!("tag:yaml.org,2002:{suffix}");
        for (text, suffix, expected) in [
            ("5", "str", Some(json!("5"))),
            ("5", "int", Some(json!(5))),
            ("5", "float", Some(json!(5))),
            ("5.5", "int", None),
            ("x", "null", None),
            ("yes", "bool", Some(json!(true))),
            ("a28=", "binary", Some(json!("ko"))),
            ("a2", "binary", None),
            ("2001-01-01", "timestamp", Some(json!("2001-01-01"))),
            ("0644", "timestamp", None),
            ("/w==", "binary", Some(json!("\u{fffd}"))),
        ] {
            let found = value(text.into(), false, Some(&tag(suffix)));
            assert_eq!(found.ok(), expected, "{text} {suffix}");
        }
        assert_eq!(value("5".into(), true, Some("!mine")), Ok(json!("5")));
        assert_eq!(value("5".into(), true, Some("!")), Ok(json!("5")));
    }

    #[test]
    fn keys_are_strings() {
        for (text, expected) in [
            ("yes", Some("true")),
            ("0644", Some("420")),
            ("1.5", Some("1.5")),
            ("1e5", Some("100000")),
            ("1e6", Some("1e+06")),
            ("0.00001", Some("1e-05")),
            ("~", None),
            ("a", Some("a")),
        ] {
            assert_eq!(key(text, true, None).ok().as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn only_whole_groups_of_base64_are_decoded() {
        for (text, expected) in [
            ("", Some("")),
            ("a28=", Some("ko")),
            ("a28t\ncnM=\n", Some("ko-rs")),
            ("aw==", Some("k")),
            ("a29=", Some("ko")),
            ("a28", None),
            ("a===", None),
            ("a2 =", None),
            ("=a28", None),
        ] {
            assert_eq!(binary(text).ok().as_deref(), expected, "{text}");
        }
    }
}
