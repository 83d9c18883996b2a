//! Input that was made to hurt ends in an error, and soon.

use std::fmt::Write as _;

use super::super::*;

fn outcome(text: String, depth: Parse) -> Result<usize, String> {
    let source = vec![Source::new("a.yaml", text)];
    parse(source, &Rules::default(), depth)
        .checked()
        .map(|manifests| manifests.references().count())
        .map_err(|errors| errors.to_string().lines().next().unwrap_or_default().to_owned())
}

fn error(text: String) -> String {
    let found =
        [Parse::OnlyReferences, Parse::Everything].map(|depth| outcome(text.clone(), depth));
    found.map(Result::unwrap_err)[1].clone()
}

#[test]
fn deep_nesting_is_an_error() {
    for open in ["[", "{a: ", "- ", "? ", "{\"a\":"] {
        let deep = format!("ko://a: {}", open.repeat(50_000));
        assert!(error(deep).starts_with("a.yaml:1:"), "{open}");
        let deep = format!("ko://a:\n  {}", open.repeat(50_000));
        assert!(error(deep).starts_with("a.yaml:2:"), "{open}");
    }
}

#[test]
fn what_never_ends_is_an_error() {
    for open in ["\"", "'", "[", "{", "!<", "\"\\"] {
        let text = format!("a: ko://a\nb: {open}{}", "x é\n ".repeat(200_000));
        assert!(error(text).starts_with("a.yaml:"), "{open}");
    }
}

#[test]
fn bytes_that_yaml_forbids_are_an_error() {
    for text in ["a: ko://a\nb: \0\n", "a: ko://a\n\0: b\n", "ko://a\0", "a: \"ko://a\0\""] {
        assert!(error(text.to_owned()).starts_with("a.yaml:"), "{text:?}");
    }
}

#[test]
fn aliases_of_aliases_are_not_expanded_without_bound() {
    let mut text =
        "apiVersion: v1\nkind: ko://a\na0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..12 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        let _ = writeln!(text, "a{level}: &a{level} [{below}]");
    }
    assert_eq!(outcome(text.clone(), Parse::OnlyReferences), Ok(1));
    assert_eq!(
        outcome(text, Parse::Everything).unwrap_err(),
        "a.yaml:8:45: anchors and aliases expand to more than 64 MiB"
    );
}

#[test]
fn aliases_do_not_nest_without_bound() {
    let mut text = "apiVersion: v1\nkind: A\na0: &a0 x\n".to_owned();
    for level in 1..5000 {
        let _ = writeln!(text, "a{level}: &a{level} [*a{}]", level - 1);
    }
    let error = outcome(text, Parse::Everything).unwrap_err();
    assert!(error.ends_with("its aliases nest more than 600 levels deep"), "{error}");
}

#[test]
fn many_anchors_and_aliases_are_no_trouble() {
    let mut text = "apiVersion: v1\nkind: A\nx:\n".to_owned();
    for anchor in 0..20_000 {
        let _ = writeln!(text, "- &a{anchor} ko://a\n- *a{anchor}");
    }
    assert_eq!(outcome(text.clone(), Parse::OnlyReferences), Ok(20_000));
    assert_eq!(outcome(text, Parse::Everything), Ok(20_000));
}

#[test]
fn more_anchors_than_anybody_writes_are_an_error() {
    let text: String = (0..=100_000).map(|number| format!("- &a{number} ko://a\n")).collect();
    assert_eq!(error(text), "a.yaml:100001:3: this document has more than 100000 anchors");
}

#[test]
fn of_very_many_errors_the_first_are_kept() {
    let text = "- ko://a:1\n".repeat(50_000);
    let source = vec![Source::new("a.yaml", text)];
    let errors = parse(source, &Rules::default(), Parse::OnlyReferences).checked().unwrap_err();
    assert_eq!((errors.iter().count(), errors.more()), (100, 49_900));
    assert!(errors.to_string().ends_with("\nand 49900 more"));
}

#[test]
fn very_many_documents_are_no_trouble() {
    for document in ["---\n", "...\n", "--- ko://a\n", "\u{feff}---\n", "%\n", "# ko://a\n", "\r"] {
        let text = document.repeat(5_000);
        let _ = outcome(text.clone(), Parse::OnlyReferences);
        let _ = outcome(text, Parse::Everything);
    }
}

#[test]
fn megabytes_made_to_hurt_end_soon() {
    let megabyte = |unit: &str| unit.repeat((1 << 19) / unit.len());
    let numbered = |unit: &dyn Fn(usize) -> String| (0..30_000).map(unit).collect::<String>();
    let head = "apiVersion: v1\nkind: A\nx: ko://a\n";
    let mapped = |number: usize| {
        let written = format!("x/link{number}");
        let reference = CrateReference::bare("a").unwrap();
        (written.parse().unwrap(), Mapping { written, reference })
    };
    let images = ImageMap::new((0..50).map(mapped).collect(), Vec::new());
    let mapped = Rules { images, ..Rules::default() };
    for (name, text) in [
        ("anchors", numbered(&|n| format!("k{n}: &a{n} x\n"))),
        ("aliases", format!("a: &a [x]\n{}", numbered(&|n| format!("k{n}: *a\n")))),
        ("merges", format!("a: &a {{b: c}}\n{}", numbered(&|n| format!("k{n}: {{<<: *a}}\n")))),
        ("scalar", format!("a: {}\n", megabyte("x"))),
        ("double", format!("a: \"{}\"\n", megabyte("\\u006b"))),
        ("block", format!("a: |\n{}", megabyte("  ko://a\n"))),
        ("folded", format!("a: >\n{}", megabyte("  x\n\n"))),
        ("comments", megabyte("# ko://a\n")),
        ("embedded", format!("a: \"{}\"\n", megabyte("x ko://a "))),
        ("glued", format!("a: &{} x\n", megabyte("ko://a"))),
        ("behind", format!("a: x # {}\n", megabyte("ko://a "))),
        ("instead", numbered(&|n| format!("k{n}: # ko://a\n"))),
        ("brackets", megabyte("[]\n")),
        ("flow", format!("a: [{}]\n", megabyte("ko://a,"))),
        ("open", format!("a: {}", megabyte("["))),
        ("keys", numbered(&|n| format!("? k{n}\n"))),
        ("unclosed", format!("a: \"{}", megabyte("x\n "))),
        ("zeros", megabyte("\0")),
        ("colons", megabyte(":")),
        ("dashes", megabyte("- ")),
        ("tags", format!("a: {}", megabyte("!a"))),
        ("percents", megabyte("%\n")),
        ("containers", format!("containers:\n{}", megabyte("- {image: a}\n"))),
        ("images", numbered(&|n| format!("- image: y/links{n}\n"))),
        ("seeming", megabyte("- image: X/link:$A\n")),
        ("slashes", megabyte("/")),
        ("deep", format!("a: {}", megabyte("[a,"))),
        ("merged", format!("a: {}", megabyte("{a: b, <<: "))),
        ("empty", megabyte("a: '' # ko://a\n")),
        ("below", format!("a:\n{}", megabyte("  # ko://a\n"))),
        ("env", format!("containers:\n- env:\n{}", megabyte("  - {name: A}\n"))),
    ] {
        let started = std::time::Instant::now();
        let text = format!("{head}{text}");
        let megabytes = text.len() as f64 / 1e6;
        let _ = outcome(text.clone(), Parse::OnlyReferences);
        let _ = outcome(text.clone(), Parse::Everything);
        let source = vec![Source::new("a.yaml", text)];
        if let Ok(manifests) = parse(source, &mapped, Parse::Everything).checked() {
            assert!(manifests.lint(true).len() <= 4_000, "{name}");
            let _ = manifests.select(&"a=b".parse().unwrap());
        }
        // What takes a time that grows with the square takes minutes; this is four passes over half a
        // megabyte, unoptimised, on a machine that does other things besides.
        let seconds = started.elapsed().as_secs_f64();
        assert!(seconds < 30.0, "{name}: {seconds:.1} s for {megabytes:.1} MB");
    }
}
