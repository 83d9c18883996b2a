//! Removes credentials from URLs.

/// A text whose URLs contain no user and no password.
#[must_use]
pub fn without_users(text: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, behind)) = rest.split_once("://") {
        let end = behind
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | ','))
            .unwrap_or(behind.len());
        let host = behind[..end].rfind('@').map_or(0, |at| at + 1);
        out.extend([before, "://", &behind[host..end]]);
        rest = &behind[end..];
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_no_user() {
        for (text, kept) in [
            ("https://me:s3cret@host.example/a", "https://host.example/a"),
            ("a ssh://t@k@en@h:22/x, https://x:y@z", "a ssh://h:22/x, https://z"),
            ("me@example.com https://h/p@v1?x=a@b", "me@example.com https://h/p@v1?x=a@b"),
            ("https://h https://u@k", "https://h https://k"),
            ("plain", "plain"),
        ] {
            assert_eq!(without_users(text), kept);
        }
    }
}
