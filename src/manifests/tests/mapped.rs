//! Images that are made of crates, in manifests that stay as they are.

use super::*;

const IMAGE: &str = "r/a@sha256:0";

fn rules() -> Rules {
    let reference = CrateReference::bare("a").unwrap();
    let crates = [("x/a".parse().unwrap(), Mapping { written: "x/a".to_owned(), reference })];
    let fields = ["engine.runtimeImage", "images"].map(|field| field.parse().unwrap());
    Rules { images: ImageMap::new(crates.into(), fields.into()), ..Rules::default() }
}

fn mapped(text: &str, depth: Parse) -> Manifests {
    parse(vec![Source::new("a.yaml", text)], &rules(), depth)
        .checked()
        .unwrap_or_else(|errors| panic!("{errors}"))
}

fn resolved(text: &str) -> String {
    let rendered = mapped(text, Parse::OnlyReferences).substitute(&images(&[("a", IMAGE)]));
    rendered.unwrap().remove(0).text.to_string()
}

#[test]
fn images_are_replaced_where_they_are_images_and_nowhere_else() {
    for (before, after) in [
        ("image: x/a\n", "image: r/a@sha256:0\n"),
        ("image: docker.io/x/a:1 # x/a\n", "image: r/a@sha256:0 # x/a\n"),
        // No digest: no image, whatever it means.
        ("image: \"x/a@sha256:00\"\n", "image: \"x/a@sha256:00\"\n"),
        ("- image: 'x/a:1'\n- image: x/ab:1\n", "- image: 'r/a@sha256:0'\n- image: x/ab:1\n"),
        (r#"[{"image":"\u0078\/a:1"}]"#, r#"[{"image":"r/a@sha256:0"}]"#),
        ("{image: x/a:1, name: x/a:1}", "{image: r/a@sha256:0, name: x/a:1}"),
        ("image: >\n  x/a:1\nb: x/a\n", "image: >-\n  r/a@sha256:0\nb: x/a\n"),
        ("image: !!str &i x/a:1\n", "image: !!str &i r/a@sha256:0\n"),
        (
            "image:\n  reference: x/a:1\n  name: x/a\n",
            "image:\n  reference: r/a@sha256:0\n  name: x/a\n",
        ),
        ("x/a: {image: {x/a: x/a}}\n", "x/a: {image: {x/a: x/a}}\n"),
        ("? image\n: x/a\n? [image]\n: x/a\n", "? image\n: r/a@sha256:0\n? [image]\n: x/a\n"),
        ("? {image: 1}\n: {image: x/a}\n", "? {image: 1}\n: {image: r/a@sha256:0}\n"),
        (
            "spec: {engine: [{runtimeImage: x/a}]}\n",
            "spec: {engine: [{runtimeImage: r/a@sha256:0}]}\n",
        ),
        ("spec: {runtimeImage: x/a}\n", "spec: {runtimeImage: x/a}\n"),
        ("images: [x/a, {name: x/a}]\n", "images: [r/a@sha256:0, {name: x/a}]\n"),
        ("engine: {<<: {runtimeImage: x/a}}\n", "engine: {<<: {runtimeImage: r/a@sha256:0}}\n"),
        ("image: x/a\n---\nimage: ko://a\n", "image: r/a@sha256:0\n---\nimage: r/a@sha256:0\n"),
        // The other use of the anchor means the same image.
        ("image: &i x/a\nenv: *i\n", "image: &i r/a@sha256:0\nenv: *i\n"),
        // The anchor is no image's: it stays, and the field says what it now is.
        ("v: &i x/a:1\nimage: *i\n", "v: &i x/a:1\nimage: r/a@sha256:0\n"),
        ("v: [&i 'x/a:1', {image: *i }]\n", "v: [&i 'x/a:1', {image: r/a@sha256:0 }]\n"),
    ] {
        assert_eq!(resolved(before), after, "{before}");
    }
}

#[test]
fn objects_are_what_the_resolved_text_says() {
    let text = "# x\napiVersion: v1\nkind: List\nitems:\n\
                - {apiVersion: v1, kind: A, v: &i x/a, env: [*i, &j ko://a], image: *i}\n\
                - {apiVersion: v1, kind: A, image: *j, <<: {image: x/a:2}, name: x/a:2}\n";
    let pairs = images(&[("a", IMAGE)]);
    for depth in [Parse::OnlyReferences, Parse::Everything] {
        let objects = mapped(text, depth).objects(&pairs).unwrap();
        let values: Vec<&Value> = objects.iter().map(|object| &object.value).collect();
        let object = |rest: Value| {
            let mut object = json!({"apiVersion": "v1", "kind": "A"});
            object.as_object_mut().unwrap().extend(rest.as_object().unwrap().clone());
            object
        };
        assert_eq!(
            values,
            [
                &object(json!({"v": "x/a", "env": ["x/a", IMAGE], "image": IMAGE})),
                &object(json!({"image": IMAGE, "name": "x/a:2"})),
            ]
        );
        let places: Vec<&str> = objects.iter().map(|object| object.place.as_str()).collect();
        assert_eq!(places, ["a.yaml:5:3", "a.yaml:6:3"]);
    }
}

#[test]
fn what_a_selector_leaves_out_needs_no_image_and_places_stay() {
    let object = |app: &str, image: &str| {
        format!(
            "{{apiVersion: v1, kind: A, metadata: {{labels: {{app: {app}}}}}, image: {image}}}\n"
        )
    };
    let text = format!("{}---\n{}", object("b", "ko://b"), object("a", "x/a"));
    let chosen = mapped(&text, Parse::Everything).select(&"app=a".parse().unwrap()).unwrap();
    let objects = chosen.objects(&images(&[("a", IMAGE)])).unwrap();
    assert_eq!(objects.len(), 1);
    assert_eq!(
        (objects[0].value["image"].as_str(), &*objects[0].place),
        (Some(IMAGE), "a.yaml:3:1")
    );
}

#[test]
fn deleting_needs_no_images() {
    let manifests = mapped("{apiVersion: v1, kind: A, image: x/a}", Parse::Everything);
    assert_eq!(manifests.objects_as_written().unwrap()[0].value["image"], "x/a");
}

#[test]
fn a_document_is_parsed_where_it_may_name_a_mapped_repository_and_else_passed_on() {
    let broken = "b: [\n---\nimage: x/b\n";
    assert_eq!(resolved(broken), broken);
    let broken = "b: [ x/a\n";
    assert!(
        parse(vec![Source::new("a", broken)], &rules(), Parse::OnlyReferences).checked().is_err()
    );
}
