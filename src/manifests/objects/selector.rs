//! Label selectors in kubectl's grammar: `app=web,tier in (front, back),!legacy`.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// What `-l` chooses: all requirements have to hold.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Selector {
    requirements: Vec<Requirement>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Requirement {
    key: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    In(BTreeSet<String>),
    NotIn(BTreeSet<String>),
    Exists,
    Missing,
    Greater(i64),
    Less(i64),
}

/// A text that is no label selector.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a label selector: {reason}")]
pub struct InvalidSelector {
    text: String,
    reason: String,
}

impl Selector {
    /// Whether an object with these labels is chosen.
    #[must_use]
    pub fn matches<'a>(&self, label: impl Fn(&str) -> Option<&'a str>) -> bool {
        self.requirements.iter().all(|requirement| requirement.holds(label(&requirement.key)))
    }
}

impl Requirement {
    fn holds(&self, value: Option<&str>) -> bool {
        let number = || value.and_then(|value| value.parse::<i64>().ok());
        match &self.test {
            Test::In(values) => value.is_some_and(|value| values.contains(value)),
            Test::NotIn(values) => value.is_none_or(|value| !values.contains(value)),
            Test::Exists => value.is_some(),
            Test::Missing => value.is_none(),
            Test::Greater(bound) => number().is_some_and(|number| number > *bound),
            Test::Less(bound) => number().is_some_and(|number| number < *bound),
        }
    }
}

impl FromStr for Selector {
    type Err = InvalidSelector;

    fn from_str(text: &str) -> Result<Self, InvalidSelector> {
        let tokens = tokens(text);
        let mut parser = Parser { tokens: &tokens, at: 0 };
        parser
            .selector()
            .map(|requirements| Self { requirements })
            .map_err(|reason| InvalidSelector { text: text.to_owned(), reason })
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Token {
    Word(String),
    Symbol(&'static str),
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Word(word) => write!(f, "`{word}`"),
            Self::Symbol(symbol) => write!(f, "`{symbol}`"),
        }
    }
}

/// The symbols of the grammar, the longer of two that start alike first.
const SYMBOLS: [&str; 9] = ["!=", "==", "=", "!", ",", "(", ")", ">", "<"];

/// What kubectl takes for a blank; any other is part of a word.
const BLANKS: [char; 4] = [' ', '\t', '\r', '\n'];

fn tokens(text: &str) -> Vec<Token> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start_matches(BLANKS);
    while !rest.is_empty() {
        if let Some(symbol) = SYMBOLS.iter().find(|symbol| rest.starts_with(**symbol)) {
            tokens.push(Token::Symbol(symbol));
            rest = &rest[symbol.len()..];
        } else {
            let special = |c: char| BLANKS.contains(&c) || "=!,()><".contains(c);
            let end = rest.find(special).unwrap_or(rest.len());
            tokens.push(Token::Word(rest[..end].to_owned()));
            rest = &rest[end..];
        }
        rest = rest.trim_start_matches(BLANKS);
    }
    tokens
}

struct Parser<'a> {
    tokens: &'a [Token],
    at: usize,
}

impl Parser<'_> {
    fn selector(&mut self) -> Result<Vec<Requirement>, String> {
        let mut requirements = Vec::new();
        while self.peek().is_some() {
            requirements.push(self.requirement()?);
            match self.next() {
                None => break,
                Some(Token::Symbol(",")) if self.peek().is_some() => {}
                Some(Token::Symbol(",")) => return Err("nothing follows the last `,`".to_owned()),
                Some(other) => return Err(format!("{other} stands where `,` or the end should")),
            }
        }
        Ok(requirements)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let missing = self.eat("!");
        let key = match self.next() {
            Some(Token::Word(word)) => word,
            found => return Err(format!("{} stands where a key should", shown(found.as_ref()))),
        };
        check_key(&key)?;
        let test = match self.peek() {
            None | Some(Token::Symbol(",")) if missing => Test::Missing,
            None | Some(Token::Symbol(",")) => Test::Exists,
            found if missing => {
                return Err(format!("{} stands behind `!{key}`", shown(found)));
            }
            Some(_) => self.test()?,
        };
        Ok(Requirement { key, test })
    }

    fn test(&mut self) -> Result<Test, String> {
        let operator = self.next();
        match &operator {
            Some(Token::Symbol("=" | "==")) => Ok(Test::In(BTreeSet::from([self.value()?]))),
            Some(Token::Symbol("!=")) => Ok(Test::NotIn(BTreeSet::from([self.value()?]))),
            Some(Token::Symbol(">")) => Ok(Test::Greater(self.number()?)),
            Some(Token::Symbol("<")) => Ok(Test::Less(self.number()?)),
            Some(Token::Word(word)) if word == "in" => Ok(Test::In(self.values()?)),
            Some(Token::Word(word)) if word == "notin" => Ok(Test::NotIn(self.values()?)),
            found => Err(format!(
                "{} stands where `=`, `==`, `!=`, `in`, `notin`, `>` or `<` should",
                shown(found.as_ref())
            )),
        }
    }

    /// One value, which may be empty.
    fn value(&mut self) -> Result<String, String> {
        match self.peek() {
            None | Some(Token::Symbol(",")) => Ok(String::new()),
            _ => match self.next() {
                Some(Token::Word(word)) => check_value(&word).map(|()| word),
                found => Err(format!("{} stands where a value should", shown(found.as_ref()))),
            },
        }
    }

    fn number(&mut self) -> Result<i64, String> {
        let value = self.value()?;
        value.parse().map_err(|_| format!("`{value}` is not an integer"))
    }

    /// `(a, b)`, in which a value may be empty.
    fn values(&mut self) -> Result<BTreeSet<String>, String> {
        if !self.eat("(") {
            return Err(format!("{} stands where `(` should", shown(self.peek())));
        }
        let mut values = BTreeSet::new();
        loop {
            let value = match self.peek() {
                Some(Token::Symbol("," | ")")) => String::new(),
                _ => self.value()?,
            };
            values.insert(value);
            match self.next() {
                Some(Token::Symbol(",")) => {}
                Some(Token::Symbol(")")) => return Ok(values),
                found => {
                    return Err(format!(
                        "{} stands where `,` or `)` should",
                        shown(found.as_ref())
                    ));
                }
            }
        }
    }

    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn next(&mut self) -> Option<Token> {
        let token = self.peek().cloned();
        self.at += 1;
        token
    }

    fn eat(&mut self, symbol: &str) -> bool {
        let found = matches!(self.peek(), Some(Token::Symbol(found)) if *found == symbol);
        self.at += usize::from(found);
        found
    }
}

fn shown(token: Option<&Token>) -> String {
    token.map_or_else(|| "the end".to_owned(), Token::to_string)
}

/// `[PREFIX/]NAME`: the prefix a DNS subdomain.
fn check_key(key: &str) -> Result<(), String> {
    let (prefix, name) = match key.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, key),
    };
    let prefix_is_right = prefix.is_none_or(|prefix| {
        let part = |part: &str| {
            part.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
                && !part.is_empty()
                && !part.starts_with('-')
                && !part.ends_with('-')
        };
        prefix.len() <= 253 && prefix.split('.').all(part)
    });
    if prefix_is_right && !name.is_empty() && is_name(name) {
        Ok(())
    } else {
        Err(format!("`{key}` cannot be the key of a label"))
    }
}

fn check_value(value: &str) -> Result<(), String> {
    if value.is_empty() || is_name(value) {
        Ok(())
    } else {
        Err(format!("`{value}` cannot be the value of a label"))
    }
}

fn is_name(name: &str) -> bool {
    let edge = |c: char| c.is_ascii_alphanumeric();
    name.len() <= 63
        && name.starts_with(edge)
        && name.ends_with(edge)
        && name.chars().all(|c| edge(c) || matches!(c, '-' | '_' | '.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matches(selector: &str, labels: &[(&str, &str)]) -> bool {
        let selector: Selector = selector.parse().unwrap();
        selector
            .matches(|key| labels.iter().find(|(label, _)| *label == key).map(|(_, value)| *value))
    }

    #[test]
    fn selectors_choose_as_kubectl_s() {
        let web = [("app", "web"), ("tier", "front"), ("age", "7")];
        for (selector, chosen) in [
            ("", true),
            ("app=web", true),
            ("app==web", true),
            ("app = web", true),
            ("\tapp\r=\nweb ", true),
            ("app!=web", false),
            ("foo!=bark", true),
            ("app", true),
            ("!app", false),
            ("!foo", true),
            ("foo", false),
            ("app in (web, db)", true),
            ("app in (db)", false),
            ("app notin (db,)", true),
            ("app notin (web)", false),
            ("foo notin (web)", true),
            ("app=web,tier=back", false),
            ("app=web, tier in (front,back), !x", true),
            ("app=", false),
            ("app in ()", false),
            ("age>6", true),
            ("age<7", false),
            ("in in (in)", false),
            ("app.kubernetes.io/name=web", false),
        ] {
            assert_eq!(matches(selector, &web), chosen, "{selector}");
        }
        assert!(matches("app=", &[("app", "")]));
    }

    #[test]
    fn what_kubectl_refuses_is_an_error() {
        for (selector, reason) in [
            ("app=web,", "nothing follows the last `,`"),
            ("=a", "`=` stands where a key should"),
            ("a b", "`b` stands where `=`, `==`, `!=`, `in`, `notin`, `>` or `<` should"),
            ("a in b", "`b` stands where `(` should"),
            ("a in (b", "the end stands where `,` or `)` should"),
            ("!a=b", "`=` stands behind `!a`"),
            ("a=b c", "`c` stands where `,` or the end should"),
            ("a/b/c", "`a/b/c` cannot be the key of a label"),
            ("A.b/c", "`A.b/c` cannot be the key of a label"),
            ("a=-b", "`-b` cannot be the value of a label"),
            ("a>b", "`b` is not an integer"),
            (",a", "`,` stands where a key should"),
            ("app\u{a0}=web", "`app\u{a0}` cannot be the key of a label"),
            ("app=\u{2003}web", "`\u{2003}web` cannot be the value of a label"),
        ] {
            let error = selector.parse::<Selector>().unwrap_err();
            assert_eq!(error.reason, reason, "{selector}");
        }
    }
}
