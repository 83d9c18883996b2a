//! URLs without what may be secret in them.

/// A text whose URLs have no user and no password. The text need not be a valid URL, so that what a
/// parser refuses is not shown as it is.
#[must_use]
pub fn without_credentials(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("://") {
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | ','))
            .unwrap_or(after.len());
        let host = after[..end].rfind('@').map_or(0, |at| at + 1);
        out.extend([before, "://", &after[host..end]]);
        rest = &after[end..];
    }
    out + rest
}

/// A URL without user, password, query and fragment: each of them may hold a token.
#[must_use]
pub fn public_url(url: &str) -> String {
    if !url.contains("://") {
        return url.to_owned();
    }
    without_credentials(url.split(['?', '#']).next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_in_a_text_have_no_user() {
        for (text, kept) in [
            ("https://me:s3cret@host.example/a", "https://host.example/a"),
            ("a ssh://t@k@en@h:22/x, https://x:y@z", "a ssh://h:22/x, https://z"),
            ("me@example.com https://h/p@v1?x=a@b", "me@example.com https://h/p@v1?x=a@b"),
            ("https://h https://u@k", "https://h https://k"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_credentials(text), kept);
        }
    }

    #[test]
    fn a_public_url_has_no_query() {
        for (url, shown) in [
            ("https://me:secret@h.example:1/a@b.yaml?token=x#y", "https://h.example:1/a@b.yaml"),
            ("http://me:se@cret@h", "http://h"),
            ("http://h?token=x", "http://h"),
            ("a.yaml", "a.yaml"),
        ] {
            assert_eq!(public_url(url), shown);
        }
    }
}
