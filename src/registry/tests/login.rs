//! Logging in where a real registry cannot be had: token servers, and registries that want nothing.

use super::*;

fn kept_in(settings: &mut Settings, folder: &std::path::Path) {
    settings.credentials.kept_in = Some(folder.join("config.json"));
}

async fn log_in(fake: &Fake, password: &str) -> (Result<LoggedIn, LoginError>, String) {
    let folder = tempfile::tempdir().unwrap();
    let mut settings = plain(folder.path());
    kept_in(&mut settings, folder.path());
    let account: Account = fake.address.to_string().parse().unwrap();
    let done = account.log_in(settings, "me", Secret::new(password), Reporter::new()).await;
    (done, std::fs::read_to_string(folder.path().join("config.json")).unwrap_or_default())
}

#[tokio::test]
async fn a_password_is_shown_to_the_token_server_and_its_token_to_the_registry() {
    let fake = Fake::start(|seen, _| {
        let host = seen.header("host");
        match (seen.path.as_str(), seen.header("authorization")) {
            ("/token?service=r&account=me", PASSWORD) => with(200, &[], r#"{"token":"t"}"#),
            ("/token?service=r&account=me", _) => status(401),
            ("/v2/", "Bearer t") => status(200),
            _ => {
                let realm = format!("Bearer realm=\"http://{host}/token\",service=\"r\"");
                with(401, &[("www-authenticate", &realm)], "")
            }
        }
    })
    .await;
    let (done, kept) = log_in(&fake, "hunter2").await;
    assert!(done.unwrap().was_asked_for);
    assert_eq!(fake.lines(), ["GET /v2/", "GET /token", "GET /v2/"]);
    assert!(kept.contains("bWU6aHVudGVyMg=="), "{kept}");

    let (done, kept) = log_in(&fake, "wrong").await;
    let error = done.unwrap_err();
    assert!(hint_of(&error).starts_with("the user name or the password is wrong"));
    assert_eq!(kept, "");
}

#[tokio::test]
async fn a_registry_that_wants_nothing_is_said_to() {
    let fake = Fake::start(|_, _| status(200)).await;
    let (done, kept) = log_in(&fake, "hunter2").await;
    assert!(!done.unwrap().was_asked_for);
    assert!(kept.contains(&fake.address.to_string()));
    assert!(fake.seen().iter().all(|seen| seen.header("authorization").is_empty()));
}

#[tokio::test]
async fn what_is_no_registry_is_not_logged_in_to() {
    let fake = Fake::start(|_, _| status(404)).await;
    let (done, kept) = log_in(&fake, "hunter2").await;
    assert!(hint_of(&done.unwrap_err()).contains("is a registry: its address"));
    assert_eq!(kept, "");
}
