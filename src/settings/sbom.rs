//! Which SBOMs are created, and where else than to a registry they are written.

use super::error::Error;
use super::sources::Sources;
use super::table::Key;
use crate::image::SbomFormat;
use crate::publish::Sbom;

impl Sources {
    /// `--sbom`: a format, `required`, or both; `none`.
    pub(super) fn sbom(&self) -> Result<Option<Sbom>, Error> {
        let folder = self.path(Key::SbomDir);
        let default = Sbom { format: SbomFormat::default(), required: false, folder };
        let Some((words, origin)) = self.texts(Key::Sbom) else { return Ok(Some(default)) };
        let mut format = None;
        let mut sbom = default;
        let mut none = false;
        for word in &words {
            match (word.as_str(), word.parse::<SbomFormat>()) {
                ("none", _) => none = true,
                ("required", _) => sbom.required = true,
                (_, Ok(named)) if format.is_none_or(|other| other == named) => format = Some(named),
                (_, Ok(_)) => {
                    return Err(origin.error("an image has one SBOM: name one format"));
                }
                (word, Err(_)) => {
                    return Err(origin.error(format!(
                        "expected `spdx`, `cyclonedx`, `none` or `required`, found `{word}`"
                    )));
                }
            }
        }
        if none && (sbom.required || format.is_some()) {
            return Err(origin.error("`none` cannot be combined with other words"));
        }
        if none && sbom.folder.is_some() {
            let reason = "--sbom-dir cannot be used with `sbom: none`: there is no SBOM to write";
            return Err(Error::Together(reason.to_owned()));
        }
        sbom.format = format.unwrap_or(sbom.format);
        Ok((!none).then_some(sbom))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::settings::Environment;
    use crate::settings::sources::Flags;

    fn read(words: &[&str], folder: bool) -> Result<Option<Sbom>, String> {
        let mut flags = Flags::default();
        flags.0.insert(Key::Sbom, words.iter().map(|word| (*word).to_owned()).collect());
        if folder {
            flags.0.insert(Key::SbomDir, vec!["out".to_owned()]);
        }
        let environment = Environment::of("/w", [("", ""); 0]);
        let sources = Sources { flags, environment, file: None, directory: "/w".into() };
        sources.sbom().map_err(|error| error.to_string())
    }

    #[test]
    fn required_can_be_combined_with_a_format_and_none_with_nothing() {
        let sbom = |format, required| Ok(Some(Sbom { format, required, folder: None }));
        assert_eq!(read(&["spdx"], false), sbom(SbomFormat::Spdx, false));
        assert_eq!(read(&["required"], false), sbom(SbomFormat::Spdx, true));
        assert_eq!(read(&["cyclonedx", "required"], false), sbom(SbomFormat::CycloneDx, true));
        assert_eq!(read(&["none"], false), Ok(None));
        assert_eq!(read(&["spdx"], true).unwrap().unwrap().folder, Some("/w/out".into()));
        for (words, folder) in
            [(&["none", "required"][..], false), (&["spdx", "cyclonedx"], false), (&["none"], true)]
        {
            assert!(read(words, folder).is_err(), "{words:?}");
        }
    }
}
