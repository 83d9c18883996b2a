//! Reads `WWW-Authenticate` ([RFC 9110, section 11.6.1][rfc]).
//!
//! [rfc]: https://www.rfc-editor.org/rfc/rfc9110#section-11.6.1

use std::collections::BTreeMap;

use http::HeaderMap;
use http::header::WWW_AUTHENTICATE;

/// What is read of one header at most.
const LONGEST: usize = 8 << 10;

/// What a registry wants to see before it answers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Challenge {
    /// A user name and a password with each request.
    Basic,
    /// A token from another server.
    Bearer {
        /// Where tokens are to be had.
        realm: String,
        /// What the registry is called there.
        service: Option<String>,
        /// What the registry thinks is needed.
        scope: Vec<String>,
    },
}

/// All challenges that are understood, in order.
pub(super) fn challenges(headers: &HeaderMap) -> Vec<Challenge> {
    headers
        .get_all(WWW_AUTHENTICATE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .filter(|text| text.len() <= LONGEST)
        .flat_map(parse)
        .filter_map(|(scheme, mut parameters)| match scheme.as_str() {
            "basic" => Some(Challenge::Basic),
            "bearer" => Some(Challenge::Bearer {
                realm: parameters.remove("realm")?,
                service: parameters.remove("service").filter(|service| !service.is_empty()),
                scope: parameters
                    .remove("scope")
                    .map(|scope| scope.split_whitespace().map(str::to_owned).collect())
                    .unwrap_or_default(),
            }),
            _ => None,
        })
        .collect()
}

type Parsed = (String, BTreeMap<String, String>);

/// A scheme is a word that no `=` follows; a parameter is `name=word` or `name="text"`. Commas
/// stand between parameters and between challenges alike.
fn parse(text: &str) -> Vec<Parsed> {
    let mut found: Vec<Parsed> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start_matches([' ', '\t', ',']);
        let word = rest.find([' ', '\t', ',', '=', '"']).unwrap_or(rest.len());
        let (name, after) = rest.split_at(word);
        if name.is_empty() {
            // Something that is no word: what was read so far is all that is understood.
            return found;
        }
        let after_blanks = after.trim_start_matches([' ', '\t']);
        match after_blanks.strip_prefix('=') {
            // `token68==`: padding, of a scheme that is not spoken here.
            Some(value) if value.starts_with('=') => rest = value.trim_start_matches('='),
            Some(value) => {
                let (value, remainder) = parameter(value.trim_start_matches([' ', '\t']));
                if let Some((_, parameters)) = found.last_mut() {
                    parameters.entry(name.to_ascii_lowercase()).or_insert(value);
                }
                rest = remainder;
            }
            None => {
                found.push((name.to_ascii_lowercase(), BTreeMap::new()));
                rest = after_blanks;
            }
        }
    }
}

/// A parameter's value, quoted or not, and what follows it.
fn parameter(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find([',', ' ', '\t']).unwrap_or(text.len());
        return (text[..end].to_owned(), &text[end..]);
    };
    let mut value = String::new();
    let mut characters = quoted.char_indices();
    while let Some((position, character)) = characters.next() {
        match character {
            '"' => return (value, &quoted[position + 1..]),
            '\\' => value.extend(characters.next().map(|(_, escaped)| escaped)),
            other => value.push(other),
        }
    }
    (value, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(lines: &[&str]) -> Vec<Challenge> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(WWW_AUTHENTICATE, line.parse().unwrap());
        }
        challenges(&headers)
    }

    fn bearer(realm: &str, service: Option<&str>, scope: &[&str]) -> Challenge {
        Challenge::Bearer {
            realm: realm.to_owned(),
            service: service.map(str::to_owned),
            scope: scope.iter().map(|&scope| scope.to_owned()).collect(),
        }
    }

    #[test]
    fn the_challenges_of_real_registries_are_read() {
        assert_eq!(
            read(&[
                r#"Bearer realm="https://auth.docker.io/token",service="registry.docker.io",scope="repository:a/b:pull,push""#
            ]),
            [bearer(
                "https://auth.docker.io/token",
                Some("registry.docker.io"),
                &["repository:a/b:pull,push"]
            )]
        );
        assert_eq!(read(&[r#"Basic realm="Registry Realm""#]), [Challenge::Basic]);
        assert_eq!(read(&["BASIC"]), [Challenge::Basic]);
        assert_eq!(
            read(&[r#"bearer  Realm = "https://t/a,b" , SERVICE=r.io, scope="""#]),
            [bearer("https://t/a,b", Some("r.io"), &[])]
        );
    }

    #[test]
    fn several_challenges_stand_in_one_header_or_in_several() {
        let both = [bearer("https://t", None, &[]), Challenge::Basic];
        assert_eq!(read(&[r#"Bearer realm="https://t", Basic realm="x""#]), both);
        assert_eq!(read(&[r#"Bearer realm="https://t""#, "Basic"]), both);
        assert_eq!(read(&[r#"Negotiate abc==, Bearer realm="https://t", Basic"#]), both);
    }

    #[test]
    fn quotes_are_taken_off_with_their_escapes() {
        assert_eq!(
            read(&[r#"Bearer realm="https://t/\"q\"""#]),
            [bearer("https://t/\"q\"", None, &[])]
        );
    }

    #[test]
    fn what_is_broken_is_no_challenge() {
        for text in ["", ",", "=", "Bearer", "Bearer scope=x", "\"", "Bearer =", "Digest a=b"] {
            assert_eq!(read(&[text]), [], "{text}");
        }
        assert_eq!(read(&[r#"Bearer realm="unclosed"#]), [bearer("unclosed", None, &[])]);
        assert_eq!(read(&[&format!("Basic realm={}", "x".repeat(LONGEST))]), []);
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_read_to_its_end(text in "[ -~]{0,60}", words in "([a-zA-Z=\", ]|realm){0,40}") {
            for text in [text, words] {
                let mut headers = HeaderMap::new();
                headers.append(WWW_AUTHENTICATE, text.parse().unwrap());
                challenges(&headers);
            }
        }
    }
}
