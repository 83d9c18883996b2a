//! Any text as a label selector, over any labels and any manifest: no panic, what is chosen is what
//! the selector matches, and it keeps its bytes.
#![no_main]

use ko_rs::testing::{Object, Parse, Rules, Selector, Source, parse};
use libfuzzer_sys::fuzz_target;

fn is_chosen(selector: &Selector, object: &Object) -> bool {
    let labels = object.value.pointer("/metadata/labels");
    selector.matches(|key| labels?.get(key)?.as_str())
}

fuzz_target!(|input: (&str, &str)| {
    let (selector, text) = input;
    let Ok(selector) = selector.parse::<Selector>() else { return };
    let read =
        |text: &str| parse(vec![Source::new("fuzz", text)], &Rules::default(), Parse::Everything);
    let manifests = read(text);
    let Ok(mut expected) = manifests.objects_as_written() else { return };
    expected.retain(|object| is_chosen(&selector, object));
    // What is wrong with a reference matters where it is chosen.
    let Ok(chosen) = manifests.select(&selector) else { return };
    let kept = chosen.objects_as_written().expect("they are there");
    assert_eq!(kept, expected);
    let Ok(chosen) = chosen.checked() else { return };

    let images = chosen
        .references()
        .map(|found| (found.reference.clone(), found.reference.to_string()))
        .collect();
    let rendered = chosen.substitute(&images).expect("every reference has an image");
    let again = read(&rendered[0].text.to_string()).checked().expect("what is kept can be read");
    let values = |objects: Vec<Object>| -> Vec<_> {
        objects.into_iter().map(|object| object.value).collect()
    };
    let again = again.objects(&images).expect("every reference has an image");
    let expected = chosen.objects(&images).expect("every reference has an image");
    assert_eq!(values(again), values(expected));
});
