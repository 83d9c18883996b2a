//! Whether a file was written for another tool, and so may be written anew: there is nothing in it but
//! what [`Reader::write`] writes. Whatever somebody put there, a comment too, makes it theirs.

use crate::manifests::Reader;
use serde_json::{Map, Value};

impl Reader {
    /// Whether a text is a file of images for this reader and nothing else, or empty.
    #[must_use]
    pub fn wrote(self, text: &str) -> bool {
        if text.trim().is_empty() {
            return true;
        }
        let is_commented = |line: &str| line.trim_start().starts_with('#') || line.contains(" #");
        if text.lines().any(is_commented) {
            return false;
        }
        let Ok(Value::Object(root)) = serde_yaml::from_str::<Value>(text) else { return false };
        match self {
            Self::Kustomize => {
                is_head(&root, "kustomize.config.k8s.io/v1alpha1", "Component", "images")
                    && all(&root, "images", |image| {
                        let has_version =
                            image.contains_key("newTag") || image.contains_key("digest");
                        has_version && is_texts(image, &["name", "newName"], &["newTag", "digest"])
                    })
            }
            Self::Helm => {
                let is_image = |image: &Value| match image {
                    Value::Object(image) => {
                        is_texts(image, &["image", "repository"], &["tag", "digest"])
                    }
                    _ => false,
                };
                let images = root.get("images").and_then(Value::as_object);
                root.len() == 1 && images.is_some_and(|images| images.values().all(is_image))
            }
            Self::Kbld => {
                is_head(&root, "kbld.k14s.io/v1alpha1", "Config", "overrides")
                    && all(&root, "overrides", |image| {
                        let mut texts = image.clone();
                        texts.remove("preresolved") == Some(Value::Bool(true))
                            && is_texts(&texts, &["image", "newImage"], &[])
                    })
            }
            Self::Imgpkg => {
                is_head(&root, "imgpkg.carvel.dev/v1alpha1", "ImagesLock", "images")
                    && all(&root, "images", |image| {
                        let mut texts = image.clone();
                        let id = texts.remove("annotations");
                        is_texts(&texts, &["image"], &[])
                            && id.as_ref().and_then(Value::as_object).is_some_and(|annotations| {
                                is_texts(annotations, &["kbld.carvel.dev/id"], &[])
                            })
                    })
            }
            Self::Skaffold => {
                root.len() == 1
                    && all(&root, "builds", |build| is_texts(build, &["imageName", "tag"], &[]))
            }
        }
    }
}

/// Whether an object is of a kind, with nothing but a list beside that.
fn is_head(root: &Map<String, Value>, version: &str, kind: &str, list: &str) -> bool {
    let is = |key, value| root.get(key).and_then(Value::as_str) == Some(value);
    root.len() == 3 && is("apiVersion", version) && is("kind", kind) && root.contains_key(list)
}

/// Whether a value is a list, all of whose items are so.
fn all(root: &Map<String, Value>, list: &str, is_so: impl Fn(&Map<String, Value>) -> bool) -> bool {
    let items = root.get(list).and_then(Value::as_array);
    items.is_some_and(|items| items.iter().all(|item| item.as_object().is_some_and(&is_so)))
}

/// Whether a mapping has texts alone, under these keys.
fn is_texts(map: &Map<String, Value>, needed: &[&str], possible: &[&str]) -> bool {
    needed.iter().all(|key| map.contains_key(*key))
        && map.iter().all(|(key, value)| {
            value.is_string()
                && (needed.contains(&key.as_str()) || possible.contains(&key.as_str()))
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::manifests::Replacement;

    const ALL: [Reader; 5] =
        [Reader::Kustomize, Reader::Helm, Reader::Kbld, Reader::Imgpkg, Reader::Skaffold];

    fn written(reader: Reader) -> String {
        let one = |written: &str, image: &str, bin: &str| Replacement {
            written: written.to_owned(),
            name: written.to_owned(),
            image: image.to_owned(),
            bin: bin.to_owned(),
        };
        let digest = "@sha256:1b";
        let images = [
            one("ko://user#bin", &format!("localhost:5000/user:0.10{digest}"), "user"),
            one("x/link:0.3", &format!("localhost:5000/link{digest}"), "1.0"),
        ];
        reader.write(&images).unwrap()
    }

    #[test]
    fn each_reader_s_own_file_is_known_and_no_other_s() {
        for reader in ALL {
            for other in ALL {
                assert_eq!(other.wrote(&written(reader)), reader == other, "{reader:?} {other:?}");
            }
            assert!(reader.wrote("") && reader.wrote("\n"));
            assert!(reader.wrote(&reader.write(&[]).unwrap()));
            assert!(!reader.wrote("a: [") && !reader.wrote("[]") && !reader.wrote("{}"));
        }
        let tag_only = Replacement {
            written: "ko://a".to_owned(),
            name: "ko://a".to_owned(),
            image: "ko.local/a:0.10".to_owned(),
            bin: "a".to_owned(),
        };
        for reader in [Reader::Kustomize, Reader::Helm, Reader::Kbld, Reader::Skaffold] {
            assert!(reader.wrote(&reader.write(std::slice::from_ref(&tag_only)).unwrap()));
        }
    }

    #[test]
    fn whatever_somebody_added_makes_a_file_theirs() {
        for reader in ALL {
            let text = written(reader);
            let added = match reader {
                Reader::Skaffold => text.replacen('{', "{\"mine\":1,", 1),
                _ => format!("{text}mine: 1\n"),
            };
            assert!(!reader.wrote(&added), "{added}");
            if reader != Reader::Skaffold {
                assert!(!reader.wrote(&format!("# mine\n{text}")));
                assert!(!reader.wrote(&text.replacen('\n', " # mine\n", 1)));
            }
        }
        for (reader, before, after) in [
            (Reader::Kustomize, "kind: Component", "kind: Kustomization"),
            (Reader::Kustomize, "  newName: localhost:5000/user\n", ""),
            (Reader::Kustomize, "  digest: sha256:1b\n", ""),
            (Reader::Helm, "    repository: localhost:5000/user\n", ""),
            (Reader::Helm, "    tag:", "    mine: x\n    tag:"),
            (Reader::Kbld, "  preresolved: true\n", ""),
            (Reader::Imgpkg, "  annotations:\n", "  annotations:\n    mine: x\n"),
            (Reader::Skaffold, "\"imageName\"", "\"mine\":\"x\",\"imageName\""),
        ] {
            let text = written(reader);
            assert!(text.contains(before), "{text}");
            assert!(!reader.wrote(&text.replace(before, after)), "{reader:?} {before}");
        }
    }
}
