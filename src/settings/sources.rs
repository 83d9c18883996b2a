//! Looks settings up in their sources: flags first, then variables, then the file.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use super::env::Environment;
use super::error::Error;
use super::file::{self, File};
use super::table::{Key, Kind};
use crate::source::Spot;

/// The flags of a command line: values by the key of their setting.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Flags(pub BTreeMap<Key, Vec<String>>);

/// Flags, environment and settings file as they are.
#[derive(Clone, Debug)]
pub(super) struct Sources {
    pub(super) flags: Flags,
    pub(super) environment: Environment,
    pub(super) file: Option<File>,
    /// The working directory, after `-C`.
    pub(super) directory: PathBuf,
}

/// Where a value was given; an error about it starts with this.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Flag(String),
    Variable(String),
    File { name: &'static str, spot: Box<Spot> },
}

impl Display for Origin {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Variable(variable) => f.write_str(variable),
            Self::File { name, .. } => write!(f, "`{name}`"),
        }
    }
}

impl Origin {
    pub(super) fn error(&self, reason: impl Display) -> Error {
        self.error_with(reason, None)
    }

    /// An error about the value, with what to do.
    pub(super) fn error_with(&self, reason: impl Display, hint: Option<String>) -> Error {
        let spot = match self {
            Self::File { spot, .. } => Some(spot.clone()),
            Self::Flag(_) | Self::Variable(_) => None,
        };
        Error::Value { origin: self.to_string(), spot, reason: reason.to_string(), hint }
    }
}

impl Sources {
    /// The values of a setting from the first source that has it: flag, variable, file.
    pub(super) fn texts(&self, key: Key) -> Option<(Vec<String>, Origin)> {
        let setting = key.setting();
        if let (Some(values), Some(flag)) = (self.flags.0.get(&key), setting.flag) {
            return Some((values.clone(), Origin::Flag(flag.to_owned())));
        }
        if let Some((variable, value)) =
            setting.variable.and_then(|variable| Some((variable, self.environment.get(variable)?)))
        {
            let values = match setting.kind {
                Kind::List | Kind::Texts | Kind::Map => {
                    let items = value.split([',', ' ']).map(str::trim).filter(|v| !v.is_empty());
                    items.map(str::to_owned).collect()
                }
                Kind::Switch | Kind::Text | Kind::Number | Kind::Nested => vec![value.to_owned()],
            };
            return Some((values, Origin::Variable(variable.to_owned())));
        }
        let file = self.file.as_ref()?;
        let node = file.values.get(&key)?;
        let values = match setting.kind {
            Kind::List | Kind::Texts => file::texts(node),
            Kind::Switch | Kind::Text | Kind::Number => file::text(node).into_iter().collect(),
            Kind::Map | Kind::Nested => return None,
        };
        Some((
            values,
            Origin::File { name: setting.name, spot: Box::new(file.spot(node.span.clone(), "")) },
        ))
    }

    /// The value of a setting that takes one.
    pub(super) fn text(&self, key: Key) -> Option<(String, Origin)> {
        let (mut values, origin) = self.texts(key)?;
        (!values.is_empty()).then(|| (values.remove(0), origin))
    }

    /// A value parsed as its type.
    pub(super) fn parse<T: FromStr<Err: Display>>(&self, key: Key) -> Result<Option<T>, Error> {
        let Some((text, origin)) = self.text(key) else { return Ok(None) };
        text.parse().map(Some).map_err(|reason: T::Err| origin.error(reason))
    }

    /// A list of values parsed as their type.
    pub(super) fn parse_all<T: FromStr<Err: Display>>(
        &self,
        key: Key,
    ) -> Result<Option<Vec<T>>, Error> {
        let Some((texts, origin)) = self.texts(key) else { return Ok(None) };
        let parsed = texts.iter().map(|text| text.parse::<T>());
        parsed.collect::<Result<_, _>>().map(Some).map_err(|reason| origin.error(reason))
    }

    /// A number.
    pub(super) fn number(&self, key: Key) -> Result<Option<u64>, Error> {
        let Some((text, origin)) = self.text(key) else { return Ok(None) };
        let number = text.trim().parse().map(Some);
        number.map_err(|_| origin.error(format!("expected a whole number, found `{text}`")))
    }

    /// A switch; `default` if no source has it.
    pub(super) fn switch(&self, key: Key, default: bool) -> Result<bool, Error> {
        match self.text(key) {
            None => Ok(default),
            Some((text, origin)) => text
                .parse()
                .map_err(|_| origin.error(format!("expected `true` or `false`, found `{text}`"))),
        }
    }

    /// `key=value` pairs of a flag.
    pub(super) fn map(&self, key: Key) -> Result<BTreeMap<String, String>, Error> {
        let Some((texts, origin)) = self.texts(key) else { return Ok(BTreeMap::new()) };
        let pair = |text: &String| match text.split_once('=') {
            Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
            _ => Err(origin.error(format!("expected KEY=VALUE, found `{text}`"))),
        };
        texts.iter().map(pair).collect()
    }

    /// A path, relative to the working directory or, from the settings file, to its folder.
    pub(super) fn path(&self, key: Key) -> Option<PathBuf> {
        let (text, origin) = self.text(key)?;
        Some(self.base_of(&origin).join(text))
    }

    /// The folder that relative paths are relative to.
    pub(super) fn base_of(&self, origin: &Origin) -> &Path {
        match (origin, &self.file) {
            (Origin::File { .. }, Some(file)) => &file.folder,
            _ => &self.directory,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::load;
    use crate::settings::table::{SETTINGS, Setting};
    use crate::source::Source;

    /// A value that a setting of this kind takes, made different for each source.
    fn sample(setting: &Setting, source: usize) -> String {
        match setting.kind {
            Kind::Switch => if source == 1 { "false" } else { "true" }.to_owned(),
            Kind::Number => source.to_string(),
            Kind::Map => format!("k=v{source}"),
            Kind::Text | Kind::List | Kind::Texts | Kind::Nested => format!("v{source}"),
        }
    }

    #[test]
    fn flags_take_precedence_over_variables_over_the_file_for_every_setting() {
        let directory = PathBuf::from("/work");
        for setting in SETTINGS.iter().filter(|s| !matches!(s.kind, Kind::Map | Kind::Nested)) {
            let mut sources = Sources {
                flags: Flags::default(),
                environment: Environment::default(),
                file: None,
                directory: directory.clone(),
            };
            assert_eq!(sources.text(setting.key), None);
            let expect = |sources: &Sources, number: usize| {
                assert_eq!(
                    sources.text(setting.key).unwrap().0,
                    sample(setting, number),
                    "{}",
                    setting.name
                );
            };
            if setting.in_file {
                let text = format!("{}: {}\n", setting.name, sample(setting, 3));
                let file = load::parse(Source::new("x", text), "/other".into());
                sources.file = Some(file.unwrap());
                expect(&sources, 3);
            }
            if let Some(variable) = setting.variable {
                sources.environment = Environment::of(&directory, [(variable, sample(setting, 2))]);
                expect(&sources, 2);
            }
            if setting.flag.is_some() {
                sources.flags.0.insert(setting.key, vec![sample(setting, 1)]);
                expect(&sources, 1);
            }
        }
    }

    #[test]
    fn a_wrong_value_names_its_source() {
        let environment = Environment::of("/", [("SOURCE_DATE_EPOCH", "yesterday")]);
        let sources =
            Sources { flags: Flags::default(), environment, file: None, directory: "/".into() };
        let error = sources.number(Key::Created).unwrap_err().to_string();
        assert_eq!(error, "SOURCE_DATE_EPOCH: expected a whole number, found `yesterday`");
    }

    #[test]
    fn an_empty_variable_is_ignored() {
        let environment = Environment::of("/", [("KO_DOCKER_REPO", "")]);
        let sources =
            Sources { flags: Flags::default(), environment, file: None, directory: "/".into() };
        assert_eq!(sources.text(Key::Repo), None);
    }
}
