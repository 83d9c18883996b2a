//! Any text as a manifest: no panic; without references it comes out as it went in, and with them
//! the result holds no reference any more.
#![no_main]

use std::collections::BTreeMap;

use ko_rs::manifests::{Parse, Rules, parse};
use ko_rs::source::Source;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let rules = Rules::default();
    let source = Source::new("fuzz", text);
    let _ = parse(vec![source.clone()], &rules, Parse::Everything);
    let Ok(manifests) = parse(vec![source], &rules, Parse::OnlyReferences) else { return };
    let image = "registry.example/team/image@sha256:0".to_owned();
    let images: BTreeMap<_, _> =
        manifests.references().map(|found| (found.reference.clone(), image.clone())).collect();
    let Ok(rendered) = manifests.substitute(&images) else { return };
    if images.is_empty() {
        assert_eq!(rendered[0].text, text);
    } else {
        let again = Source::new("again", rendered[0].text.clone());
        let again = parse(vec![again], &rules, Parse::OnlyReferences);
        assert_eq!(again.expect("what was read once is read again").references().count(), 0);
    }
});
