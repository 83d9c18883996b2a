//! Any text as a stream of documents: no panic, every error can be drawn, and what is passed on
//! unparsed holds no reference.
#![no_main]

use ko_rs::report::Diagnostic;
use ko_rs::testing::{Errors, Manifests, Parse, Rules, Source, parse};
use libfuzzer_sys::fuzz_target;

fn read(text: &str, depth: Parse) -> Result<Manifests, Errors> {
    parse(vec![Source::new("fuzz", text)], &Rules::default(), depth).checked()
}

fn places(manifests: &Manifests) -> Vec<String> {
    manifests.references().map(|found| found.place()).collect()
}

fuzz_target!(|text: &str| {
    let quick = read(text, Parse::OnlyReferences);
    if let Err(errors) = &quick {
        for error in errors.iter() {
            let _ = (error.to_string(), Diagnostic::of(error));
        }
    }
    match read(text, Parse::Everything) {
        Ok(manifests) => {
            let quick = quick.expect("what is right as a whole is right for its references");
            assert_eq!(places(&quick), places(&manifests));
            let objects = quick.objects_as_written().expect("what was read is read again");
            assert_eq!(objects, manifests.objects_as_written().expect("they are there"));
        }
        Err(errors) => {
            for error in errors.iter() {
                let _ = (error.to_string(), Diagnostic::of(error));
            }
        }
    }
});
