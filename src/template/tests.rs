use super::*;

fn values() -> Values {
    let variables = BTreeMap::from([("VERSION".to_owned(), "1.2".to_owned())]);
    let repository = Repository { root: None, environment: BTreeMap::new() };
    Values::new(variables, 1_659_304_800, repository)
}

fn wrong(text: &str) -> String {
    let error = render(text, &values()).unwrap_err();
    let part = &text[error.range()];
    let hint = error.hint().map(|hint| format!("; {hint}")).unwrap_or_default();
    format!("[{part}] {error}{hint}")
}

#[test]
fn values_are_put_in_and_everything_else_is_left() {
    for (text, rendered) in [
        ("plain { text } 100%", "plain { text } 100%"),
        ("v{{ Env.VERSION }}-{{ Timestamp }}", "v1.2-1659304800"),
        ("{{ 1 == 1 }}", "true"),
        ("{{ Date }}", "2022-07-31T22:00:00Z"),
        ("{{ Env.GONE | default('none') | upper }}", "NONE"),
        ("{% if Env.VERSION == '1.2' %}a & <b>{% endif %}", "a & <b>"),
    ] {
        assert_eq!(render(text, &values()).unwrap(), rendered);
    }
    assert_eq!(render("d-{{ Digest }}", &values().with("Digest", "ab".into())).unwrap(), "d-ab");
    assert_eq!(render("{{ Git.FullCommit[:7] }}", &Values::sample()).unwrap(), "1");
}

#[test]
fn unknown_names_and_values_that_are_not_text_are_errors_with_a_suggestion() {
    let all = [
        "a {{ Dat }}",
        "{{ Git.ShortCommi }}",
        "{{ Git.FullCommit }}",
        "{{ Env.VERSIO }}",
        "{{ Env.QUITE_ANOTHER }}",
        "x {{ Git }} y",
        "{{ Env }}",
        "{{ Date.Year }}",
        "{{ [1, 2] }}",
        "{{ .Git.Branch }}",
        "{{ Git.Branch",
        "{{ Date | uper }}",
        "{{ Git.PathFullCommit }}",
    ];
    let found: Vec<String> = all.iter().map(|text| wrong(text)).collect();
    insta::assert_snapshot!(found.join("\n"), @r#"
    [Dat] `Dat` is not a known name; did you mean `Date`?
    [Git.ShortCommi] `Git` has no field `ShortCommi`; did you mean `ShortCommit`?
    [Git.FullCommit] `Git.FullCommit`: not in a Git repository
    [Env.VERSIO] the environment variable `VERSIO` is not set; did you mean `VERSION`?
    [Env.QUITE_ANOTHER] the environment variable `QUITE_ANOTHER` is not set; set it, or write `{{ Env.QUITE_ANOTHER | default("…") }}`
    [Git] expected text, found a map
    [Env] expected text, found a map
    [Date.Year] `Date` is text and has no field `Year`
    [[1, 2]] expected text, found a sequence
    [.] this is the syntax of Go templates; write the name without the dot: `{{ Git.ShortCommit }}`
    [Branch] syntax error: unexpected end of input, expected end of variable block
    [uper] filter uper is unknown
    [Git.PathFullCommit] `Git.PathFullCommit`: not in a Git repository
    "#);
}

#[test]
fn names_that_change_with_every_commit_are_volatile() {
    let names = |text| volatile(text).into_iter().collect::<Vec<_>>().join(" ");
    assert_eq!(names("{{ Git.FullCommit }} {{ Date | upper }}"), "Date Git.FullCommit");
    assert_eq!(names("{{ Git.PathFullCommit }} {{ Git.Tag }} {{ Env.Date }}"), "");
    assert_eq!(names("{{ Git['FullCommit'] }}"), "Git");
}
