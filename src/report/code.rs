//! The stable names of everything that ko-rs reports as wrong.

use std::fmt;

use serde::{Serialize, Serializer};

/// The name of a kind of diagnostic, as in `error[unknown-crate]`, with what `docs/errors.md` says
/// about it. Names are kebab-case, unique, and never change their meaning.
#[derive(Debug)]
pub struct Code {
    /// The kebab-case name.
    pub name: &'static str,
    /// The exit status of a run that ends with it; `None` if it is only used for warnings.
    pub exit: Option<Exit>,
    /// What it means, in one sentence.
    pub meaning: &'static str,
    /// How it comes about and what to do about it, as Markdown.
    pub explanation: &'static str,
}

/// The exit status that a failure leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// 1: something could not be done.
    Failure,
    /// 2: flags or settings are wrong.
    Usage,
    /// 101: `cargo build` ran and failed.
    Compilation,
}

impl Exit {
    /// The exit status of the process.
    #[must_use]
    pub fn status(self) -> u8 {
        match self {
            Self::Failure => 1,
            Self::Usage => 2,
            Self::Compilation => 101,
        }
    }
}

impl PartialEq for Code {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Code {}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for Code {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

/// Defines the codes of a module as constants, and `ALL` with every one of them. The second value is
/// an [`Exit`], or `Warning` for a code that does not end a run:
///
/// ```ignore
/// codes! {
///     UNKNOWN_CRATE = "unknown-crate", Failure,
///         "A reference names a crate that the workspace does not have.",
///         "The text between `ko://` and `#` must be …";
/// }
/// ```
macro_rules! codes {
    (@exit Warning) => { None };
    (@exit $exit:ident) => { Some($crate::report::Exit::$exit) };
    ($($constant:ident = $name:literal, $exit:ident, $meaning:literal, $explanation:literal;)+) => {
        $(
            #[doc = $meaning]
            pub(crate) static $constant: $crate::report::Code = $crate::report::Code {
                name: $name,
                exit: $crate::report::codes!(@exit $exit),
                meaning: $meaning,
                explanation: $explanation,
            };
        )+
        /// All of them, in the order of `docs/errors.md`; `cli::every_code` collects those of all modules.
        pub(crate) static ALL: &[&$crate::report::Code] = &[$(&$constant),+];

        #[cfg(test)]
        mod tests {
            #[test]
            fn names_are_kebab_case_and_texts_are_sentences() {
                for code in super::ALL {
                    let is_plain = |c: char| c.is_ascii_lowercase() || c == '-';
                    assert!(code.name.chars().all(is_plain), "{code}");
                    assert!(code.meaning.ends_with('.'), "{code}");
                    assert!(code.explanation.ends_with('.'), "{code}");
                }
            }
        }
    };
}

pub(crate) use codes;
