//! How a run presents itself: colours, formats and how much it prints.

use std::path::PathBuf;

use super::env::Environment;
use super::error::Error;
use super::sources::{Flags, Sources};
use super::table::Key;

/// How results, events and diagnostics are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Presentation {
    /// When colours are used.
    pub color: Color,
    /// The format of the result on standard output.
    pub output: Format,
    /// The format of events and diagnostics on standard error.
    pub progress: Format,
    /// How much is printed.
    pub loudness: Loudness,
}

/// When colours are used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Color {
    /// On a terminal.
    #[default]
    Auto,
    /// Always.
    Always,
    /// Never.
    Never,
}

/// The format of what is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Text for people.
    #[default]
    Text,
    /// JSON as `docs/schema` describes it.
    Json,
}

/// How much is printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loudness {
    /// Warnings and errors.
    Quiet,
    /// Also progress and notes.
    #[default]
    Normal,
    /// Also details.
    Verbose,
}

impl Presentation {
    /// The presentation that flags and environment ask for.
    pub fn of(flags: &Flags, environment: &Environment) -> Result<Self, Error> {
        let sources = Sources {
            flags: flags.clone(),
            environment: environment.clone(),
            file: None,
            directory: PathBuf::new(),
        };
        let color = if flags.0.contains_key(&Key::Color) {
            sources.color()?
        } else if environment.get_os("NO_COLOR").is_some() {
            Color::Never
        } else if environment.get("CLICOLOR_FORCE").is_some_and(|value| value != "0") {
            Color::Always
        } else if environment.get("CARGO_TERM_COLOR").is_some() {
            sources.color()?
        } else if environment.get("TERM") == Some("dumb") {
            Color::Never
        } else {
            Color::Auto
        };
        let (verbose, quiet) =
            (sources.switch(Key::Verbose, false)?, sources.switch(Key::Quiet, false)?);
        let loudness = match (verbose, quiet) {
            (true, true) => {
                let reason = "--verbose cannot be used with --quiet";
                return Err(Error::Together(reason.to_owned()));
            }
            (true, false) => Loudness::Verbose,
            (false, true) => Loudness::Quiet,
            (false, false) => Loudness::Normal,
        };
        let (output, progress) = (sources.format(Key::Output)?, sources.format(Key::Progress)?);
        Ok(Self { color, output, progress, loudness })
    }
}

impl Sources {
    fn color(&self) -> Result<Color, Error> {
        match self.text(Key::Color) {
            None => Ok(Color::Auto),
            Some((when, origin)) => {
                match when.as_str() {
                    "auto" => Ok(Color::Auto),
                    "always" => Ok(Color::Always),
                    "never" => Ok(Color::Never),
                    _ => Err(origin
                        .error(format!("expected `auto`, `always` or `never`, found `{when}`"))),
                }
            }
        }
    }

    fn format(&self, key: Key) -> Result<Format, Error> {
        match self.text(key) {
            None => Ok(Format::Text),
            Some((format, origin)) => match format.as_str() {
                "text" => Ok(Format::Text),
                "json" => Ok(Format::Json),
                _ => Err(origin.error(format!("expected `text` or `json`, found `{format}`"))),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn color(flag: Option<&str>, variables: &[(&str, &str)]) -> Color {
        let flag = flag.map(|when| (Key::Color, vec![when.to_owned()]));
        let environment = Environment::of("/", variables.iter().copied());
        Presentation::of(&Flags(flag.into_iter().collect()), &environment).unwrap().color
    }

    #[test]
    fn a_flag_takes_precedence_over_no_color_over_the_other_variables() {
        let (no, force) = (("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1"));
        let cargo = ("CARGO_TERM_COLOR", "never");
        assert_eq!(color(Some("always"), &[no]), Color::Always);
        assert_eq!(color(None, &[no, force]), Color::Never);
        assert_eq!(color(None, &[force, cargo]), Color::Always);
        assert_eq!(color(None, &[("CLICOLOR_FORCE", "0"), cargo]), Color::Never);
        assert_eq!(color(None, &[("TERM", "dumb")]), Color::Never);
        assert_eq!(color(None, &[("NO_COLOR", "")]), Color::Auto);
    }

    #[test]
    fn a_format_must_be_text_or_json() {
        let flags = Flags([(Key::Output, vec!["yaml".to_owned()])].into());
        let error = Presentation::of(&flags, &Environment::default()).unwrap_err();
        assert_eq!(error.to_string(), "--output: expected `text` or `json`, found `yaml`");
    }
}
