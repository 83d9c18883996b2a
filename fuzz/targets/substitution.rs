//! Images in the places of references: nothing but these spans differs, the result holds no
//! reference any more, and its objects are those of the input with the references replaced.
#![no_main]

use std::collections::BTreeMap;

use ko_rs::testing::{Errors, Manifests, Object, Parse, Rules, Source, parse};
use libfuzzer_sys::fuzz_target;

/// Names that need no quotes, and some that do.
const IMAGES: [&str; 4] = ["registry.example/team/image@sha256:0", "12:30", "a: 'x\" # y", "~"];

fn read(text: &str, depth: Parse) -> Result<Manifests, Errors> {
    parse(vec![Source::new("fuzz", text)], &Rules::default(), depth).checked()
}

/// Takes off both texts what they start with alike: `kept`, in which a block scalar's header may
/// have got a `-` for the `+` or the nothing that stood there.
fn skip<'a>(kept: &str, after: &'a str) -> &'a str {
    if let Some(rest) = after.strip_prefix(kept) {
        return rest;
    }
    let alike = kept.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
    let rest = after[alike..].strip_prefix('-').expect("only a `-` of a header may be new");
    let kept = &kept[alike..];
    let kept = if rest.starts_with(kept) { kept } else { kept.strip_prefix('+').unwrap_or(kept) };
    rest.strip_prefix(kept).expect("nothing but references and headers may differ")
}

fuzz_target!(|input: (u8, &str)| {
    let (choice, text) = input;
    let image = IMAGES[usize::from(choice) % IMAGES.len()];
    let Ok(manifests) = read(text, Parse::OnlyReferences) else { return };
    let images: BTreeMap<_, _> =
        manifests.references().map(|found| (found.reference.clone(), image.to_owned())).collect();
    let rendered = manifests.substitute(&images).expect("every reference has an image");
    let result = rendered[0].text.to_string();
    let result = result.as_str();

    let mut at = 0;
    let mut after = result;
    for occurrence in manifests.references() {
        let span = occurrence.location().span();
        after = skip(&text[at..span.start], after);
        let written = ["", "'", "\""].map(|quote| {
            let text = match quote {
                "'" => image.replace('\'', "''"),
                "\"" => image.replace('"', "\\\""),
                _ => image.to_owned(),
            };
            format!("{quote}{text}{quote}")
        });
        let new = written.iter().find_map(|written| after.strip_prefix(written.as_str()));
        after = new.expect("the image stands where the reference stood");
        at = span.end;
    }
    assert_eq!(&text[at..], after, "behind the last reference nothing differs");

    let again = read(result, Parse::OnlyReferences).expect("what was read once is read again");
    assert_eq!(again.references().count(), 0);
    if let Ok(whole) = read(text, Parse::Everything) {
        let replaced = whole.objects(&images).expect("every reference has an image");
        let again = read(result, Parse::Everything).expect("objects stay objects");
        let again = again.objects_as_written().expect("they are there");
        let values = |objects: Vec<Object>| -> Vec<_> {
            objects.into_iter().map(|object| object.value).collect()
        };
        assert_eq!(values(again), values(replaced));
    }
});
