//! The configuration of an image: that of the base image, changed to start the program.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::files::DATA;
use super::recipe::{Program, Recipe};
use crate::oci::ImageConfig;
use crate::report::without_credentials;

/// A value in a recipe that an image cannot have.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRecipe {
    /// Not a port.
    #[error(
        "`{0}` is not a port (a number up to 65535, optionally followed by `/tcp`, `/udp` or `/sctp`)"
    )]
    Port(String),
    /// A time whose year does not have four digits.
    #[error("the creation time {0} is not between the years 1 and 9999")]
    Created(i64),
    /// Not the name of a variable.
    #[error("`{0}` is not the name of an environment variable")]
    Variable(String),
    /// Not a valid file name.
    #[error("an executable in an image cannot have the name `{0}`")]
    Program(String),
}

/// The history of one new layer.
pub(super) struct HistoryLine {
    pub(super) comment: String,
}

/// The configuration of the base image, changed to start the program as in the recipe. It does not
/// have the diff IDs of new layers yet.
pub(super) fn config(
    base: &ImageConfig,
    base_layers: usize,
    program: &Program,
    recipe: &Recipe,
    new_layers: &[HistoryLine],
) -> Result<ImageConfig, InvalidRecipe> {
    let created = rfc3339(recipe.created)?;
    let mut config = base.clone();
    let fields = config.fields_mut();
    fields.insert("created".to_owned(), created.clone().into());
    let by = format!("ko-rs build ko://{}", program.import_path);
    let mut history = base_history(fields, base_layers);
    history.extend(new_layers.iter().map(|line| {
        json!({"created": created, "author": "ko-rs", "created_by": by, "comment": line.comment})
    }));
    fields.insert("history".to_owned(), Value::Array(history));

    let run = object(fields, "config");
    run.insert("Entrypoint".to_owned(), json!([format!("/ko-app/{}", program.name)]));
    match &recipe.args {
        Some(args) => run.insert("Cmd".to_owned(), json!(args)),
        None => run.shift_remove("Cmd"),
    };
    let environment = environment(run.get("Env"), &recipe.environment)?;
    run.insert("Env".to_owned(), json!(environment));
    if let Some(user) = &recipe.user {
        run.insert("User".to_owned(), json!(user));
    }
    if let Some(folder) = &recipe.working_directory {
        run.insert("WorkingDir".to_owned(), json!(folder));
    }
    if !recipe.labels.is_empty() {
        let labels = object(run, "Labels");
        let lines = recipe.labels.iter();
        // Everyone who may pull an image can read its labels.
        labels.extend(lines.map(|(key, value)| (key.clone(), json!(without_credentials(value)))));
    }
    if !recipe.ports.is_empty() {
        let ports = object(run, "ExposedPorts");
        for port in &recipe.ports {
            ports.insert(exposed(port)?, json!({}));
        }
    }
    Ok(config)
}

/// A field that is an object. Any other value is replaced.
fn object<'a>(fields: &'a mut Map<String, Value>, name: &str) -> &'a mut Map<String, Value> {
    if !fields.get(name).is_some_and(Value::is_object) {
        fields.insert(name.to_owned(), Value::Object(Map::new()));
    }
    fields
        .get_mut(name)
        .and_then(Value::as_object_mut)
        .expect("the field was made an object three lines above")
}

/// The history of the base image, with one line for each layer: some tools count them.
fn base_history(fields: &Map<String, Value>, layers: usize) -> Vec<Value> {
    let history = fields.get("history").and_then(Value::as_array).cloned().unwrap_or_default();
    let empty = |line: &&Value| line.get("empty_layer").and_then(Value::as_bool) == Some(true);
    if history.iter().filter(|line| !empty(line)).count() == layers {
        return history;
    }
    vec![json!({"created_by": "base image"}); layers]
}

/// The variables of the base image, ko-rs and the recipe. Existing variables keep their positions.
fn environment(
    base: Option<&Value>,
    wanted: &BTreeMap<String, String>,
) -> Result<Vec<String>, InvalidRecipe> {
    let mut variables: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: &str| match variables.iter_mut().find(|(n, _)| n == name) {
        Some((_, old)) => value.clone_into(old),
        None => variables.push((name.to_owned(), value.to_owned())),
    };
    for variable in base.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
        let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
        set(name, value);
    }
    set("KO_DATA_PATH", &format!("/{DATA}"));
    for (name, value) in wanted {
        if name.is_empty() || name.contains(['=', '\0']) || value.contains('\0') {
            return Err(InvalidRecipe::Variable(name.clone()));
        }
        set(name, value);
    }
    match variables.iter_mut().find(|(name, _)| name == "PATH") {
        Some((_, path)) if path.is_empty() => "/ko-app".clone_into(path),
        Some((_, path)) => path.push_str(":/ko-app"),
        None => variables.push(("PATH".to_owned(), "/ko-app".to_owned())),
    }
    Ok(variables.into_iter().map(|(name, value)| format!("{name}={value}")).collect())
}

/// A port as in configurations: `8080/tcp`.
fn exposed(port: &str) -> Result<String, InvalidRecipe> {
    let (number, protocol) = port.split_once('/').unwrap_or((port, "tcp"));
    match number.parse::<u16>() {
        Ok(number @ 1..) if matches!(protocol, "tcp" | "udp" | "sctp") => {
            Ok(format!("{number}/{protocol}"))
        }
        _ => Err(InvalidRecipe::Port(port.to_owned())),
    }
}

/// Seconds since 1970 in RFC 3339, in UTC.
fn rfc3339(seconds: i64) -> Result<String, InvalidRecipe> {
    let invalid = || InvalidRecipe::Created(seconds);
    let time = jiff::Timestamp::from_second(seconds).map_err(|_| invalid())?;
    let text = time.to_string();
    // RFC 3339 has years of four digits only; jiff writes others with a sign.
    if text.len() == "1970-01-01T00:00:00Z".len() { Ok(text) } else { Err(invalid()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_in_utc_and_within_four_digits_of_years() {
        assert_eq!(rfc3339(0).unwrap(), "1970-01-01T00:00:00Z");
        assert_eq!(rfc3339(1_659_304_800).unwrap(), "2022-07-31T22:00:00Z");
        assert_eq!(rfc3339(i64::MAX), Err(InvalidRecipe::Created(i64::MAX)));
        assert_eq!(rfc3339(-70_000_000_000), Err(InvalidRecipe::Created(-70_000_000_000)));
    }

    #[test]
    fn ports_are_numbers_with_a_protocol() {
        assert_eq!(exposed("8080").unwrap(), "8080/tcp");
        assert_eq!(exposed("53/udp").unwrap(), "53/udp");
        for wrong in ["", "0", "65536", "http", "80/ip", "80/", "80/tcp/x"] {
            assert!(exposed(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn variables_keep_their_places_and_path_is_appended_to() {
        let base = json!(["PATH=/bin", "A=1", "B=x=y", "A=2"]);
        let wanted = BTreeMap::from([("B".into(), "3".into()), ("C".into(), String::new())]);
        let made = environment(Some(&base), &wanted).unwrap();
        assert_eq!(made, ["PATH=/bin:/ko-app", "A=2", "B=3", "KO_DATA_PATH=/var/run/ko", "C="]);
        let own = BTreeMap::from([("PATH".into(), "/mine".into())]);
        assert_eq!(environment(Some(&base), &own).unwrap()[0], "PATH=/mine:/ko-app");
        assert_eq!(
            environment(None, &BTreeMap::new()).unwrap(),
            ["KO_DATA_PATH=/var/run/ko", "PATH=/ko-app"]
        );
        for wrong in ["", "A=B", "A\0"] {
            let wanted = BTreeMap::from([(wrong.to_owned(), String::new())]);
            assert!(environment(None, &wanted).is_err(), "{wrong:?}");
        }
    }
}
