use super::*;

fn load(text: &str) -> Result<Result<Loaded, LoadFailed>, NoAnswer> {
    let mut answer = LoadAnswer::default();
    // Byte by byte: where the network cuts has no meaning.
    for byte in text.as_bytes() {
        answer.push(std::slice::from_ref(byte))?;
    }
    answer.finish()
}

#[test]
fn the_loaded_images_are_the_names_in_a_response() {
    let docker = "{\"status\":\"Loading layer\",\"progressDetail\":{\"current\":1,\"total\":2},\"id\":\"a\"}\r\n{\"stream\":\"Loaded image: ko.local/a:1\\n\"}\r\n{\"stream\":\"Loaded image ID: sha256:1\\n\"}\r\n";
    assert_eq!(load(docker).unwrap().unwrap().names, ["ko.local/a:1", "sha256:1"]);
    let podman = r#"{"stream":"Loaded image: ko.local/a:1,ko.local/a:2"}"#;
    assert_eq!(load(podman).unwrap().unwrap().names, ["ko.local/a:1", "ko.local/a:2"]);
}

#[test]
fn an_error_anywhere_in_a_response_is_an_error() {
    let text = "{\"stream\":\"Loaded image: a\"}\n{\"errorDetail\":{\"message\":\"no space\\u001b[2J left\"},\"error\":\"no\"}\n";
    assert_eq!(load(text).unwrap().unwrap_err().message, "no space[2J left");
    let unpack = "{\"stream\":\"Loaded image: a\\n\"}\n{\"stream\":\"Error unpacking image ko.local/a:1: content digest sha256:1: not found\\n\"}\n";
    let words = "Error unpacking image ko.local/a:1: content digest sha256:1: not found";
    let failed = load(unpack).unwrap().unwrap_err();
    assert_eq!(failed.message, words);
    assert_eq!(failed.broken, ["ko.local/a:1".parse().unwrap()]);
    assert_eq!(load("{\"error\":\"old\"}").unwrap().unwrap_err().message, "old");
}

#[test]
fn a_response_without_names_or_without_json_is_an_error() {
    assert!(matches!(load(""), Err(NoAnswer::Nothing)));
    assert!(matches!(load("{\"stream\":\"hello\"}\n"), Err(NoAnswer::Nothing)));
    assert!(matches!(load("<html>\n"), Err(NoAnswer::Json(_))));
    let mut answer = LoadAnswer::default();
    let long = vec![b' '; LINE_BYTES / 2 + 1];
    answer.push(&long).unwrap();
    assert!(matches!(answer.push(&long), Err(NoAnswer::Long)));
}

#[test]
fn messages_are_short_and_without_control_characters() {
    assert_eq!(message(br#"{"message":"no such\n image: \u001b[31mx"}"#), "no such image: [31mx");
    assert_eq!(message(b"<html>\n gone"), "<html> gone");
    assert_eq!(message(b""), "(no message)");
    assert_eq!(message(&[b'x'; 5000]).chars().count(), MESSAGE_CHARACTERS + 1);
}

#[test]
fn the_driver_status_says_which_store_it_is() {
    let store = |text| serde_json::from_str::<Info>(text).unwrap().store();
    let containerd =
        r#"{"Driver":"overlayfs","DriverStatus":[["driver-type","io.containerd.snapshotter.v1"]]}"#;
    assert_eq!(store(containerd), Store::Containerd);
    let overlay2 = r#"{"Driver":"overlay2","DriverStatus":[["Backing Filesystem","extfs"]]}"#;
    assert_eq!(store(overlay2), Store::GraphDriver);
    assert_eq!(store(r#"{"DriverStatus":null}"#), Store::GraphDriver);
}

#[test]
fn an_image_id_may_lack_the_algorithm() {
    let id = Digest::of(b"id");
    for text in [id.to_string(), id.hex()] {
        let json = format!(
            r#"{{"Id":"{text}","Os":"linux","Architecture":"arm64","Variant":"v8","RootFS":{{"Type":"layers","Layers":["{id}"]}}}}"#
        );
        let image = serde_json::from_str::<Inspected>(&json).unwrap().image().unwrap();
        let platform = "linux/arm64/v8".parse().unwrap();
        assert_eq!(image, EngineImage { id, diff_ids: vec![id], platform });
    }
    let none = r#"{"Id":"x","Os":"linux","Architecture":"amd64","RootFS":{"Type":"layers"}}"#;
    assert!(serde_json::from_str::<Inspected>(none).unwrap().image().is_err());
}
