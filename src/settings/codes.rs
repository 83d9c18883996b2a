//! The codes of errors in flags, variables and the settings file.

use crate::report::codes;

codes! {
    SETTINGS_NOT_READABLE = "settings-not-readable", Usage,
        "The settings file cannot be read.",
        "`--config`, `KO_RS_CONFIG_PATH` or the nearest `.ko-rs.yaml` names a file that does not exist, \
         cannot be opened or is larger than 4 MiB. Correct the path or the file's permissions.";
    SETTINGS_NOT_YAML = "settings-not-yaml", Usage,
        "The settings file is not valid YAML.",
        "The excerpt shows where the parser stopped. Correct the syntax there.";
    UNKNOWN_SETTING = "unknown-setting", Usage,
        "The settings file has a key that ko-rs does not know.",
        "A key is misspelt or belongs in another mapping. `docs/settings.md` lists the keys of each mapping.";
    INVALID_SETTING = "invalid-setting", Usage,
        "A value in the settings file cannot be used.",
        "The value has the wrong type, or is not what the key expects. `docs/settings.md` describes \
         the value of each key.";
    UNKNOWN_LINT = "unknown-lint", Usage,
        "`lints` names a lint that does not exist.",
        "`docs/lints.md` lists the lints.";
    INVALID_TEMPLATE = "invalid-template", Usage,
        "A template in the settings file cannot be rendered.",
        "The template has a syntax error, or uses a variable that does not exist or has another type. \
         Templates are checked when the file is read, before anything is built.";
    INVALID_VALUE = "invalid-value", Usage,
        "A flag or variable has a value that cannot be used.",
        "The message names the flag or variable, and what it expects. `ko-rs COMMAND --help` describes each flag.";
    CONFLICTING_SETTINGS = "conflicting-settings", Usage,
        "Two settings cannot be used together.",
        "Remove one of the flags or variables that the message names.";
    REQUIRED_VERSION = "required-version", Usage,
        "The settings file requires another version of ko-rs.",
        "`requiredVersion` does not match the version that runs. Install a matching version, or change the requirement.";
    NO_TEMPORARY_FOLDER = "no-temporary-folder", Usage,
        "No folder can be created for the temporary files of a run.",
        "With `--no-cache`, or without a home folder, temporary files are kept below `TMPDIR`. Set it to a folder that can be written.";
    TEMPLATE_FAILED = "template-failed", Failure,
        "A template in the settings file cannot be filled in for a crate.",
        "Its syntax is correct, but a value is missing for this crate: a variable that is not set, or `Git` values \
         where there is no commit. The cause names the value.";
    UNKNOWN_BUILD = "unknown-build", Usage,
        "An entry of `builds` in the settings file matches no crate.",
        "`package`, `bin` or `dir` is misspelt, or the crate was removed. Crates in other workspaces of the \
         repository are not reported.";
}
