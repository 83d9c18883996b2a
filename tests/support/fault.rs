//! The ways in which a registry, or what stands before it, can fail.

use super::wire::Message;

/// One way to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The connection is reset, and new ones are refused for a while.
    Refused,
    /// Reset before the request's body was read.
    ResetAtOnce,
    /// Closed without an answer, once all was read.
    Closed,
    /// Reset in the middle of the request's body.
    CutRequest,
    /// The request's body is not read, and nothing happens.
    StallRequest,
    /// `100 Continue`, and the connection is closed.
    CloseAfterContinue,
    /// All is read, and nothing happens.
    StallAnswer,
    /// The headers of the answer break off.
    CutHeaders,
    /// The headers of the answer stop coming.
    StallHeaders,
    /// The body of the answer breaks off by a reset.
    CutBody,
    /// The body of the answer is shorter than announced.
    Truncated,
    /// The body of the answer stops coming.
    StallBody,
    /// The answer comes a byte at a time.
    Drip,
    /// The request is carried out, and the answer lost.
    LostAnswer,
    /// Other bytes of the right length; of a request's body, too.
    WrongBytes,
    /// One byte of the request's body arrives changed.
    SpoiltRequest,
    /// `Docker-Content-Digest` is another.
    WrongDigest,
    /// There is no `Docker-Content-Digest`.
    NoDigest,
    /// There is no `Location`.
    NoLocation,
    /// `Location` is no URL.
    OddLocation,
    /// Each header of the answer stands there twice, with other values.
    DuplicateHeaders,
    /// More headers than anyone needs.
    HugeHeaders,
    /// The answer says that it is chunked, and it is not.
    GarbageChunks,
    /// Something that is no HTTP.
    NoHttp,
    /// 200 and a web page.
    Html,
    /// 200 and nothing.
    Empty,
    /// 204, whatever was asked.
    NoContent,
    /// 200 and a body that says it is JSON and breaks off.
    HalfJson,
    /// An answer of 6 MiB where a few bytes are wanted.
    Oversized,
    /// A body of zeros without an end.
    Endless,
    /// Gzip that unpacks to a gigabyte, in place of the body.
    GzipBomb,
    /// A refusal whose document repeats everything that was sent.
    Echo,
    /// Redirects to itself.
    RedirectLoop,
    /// A redirect (307) to another host, which knows nothing.
    RedirectElsewhere,
    /// The upload goes on at another host, which knows nothing.
    LocationElsewhere,
    /// A status, with `Retry-After`.
    Status(u16, Option<Wait>),
}

/// What `Retry-After` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// A second.
    Second,
    /// A date a second from now.
    Date,
    /// A day.
    Day,
    /// Nothing that can be understood.
    Nonsense,
}

/// All of them, with the name that a table shows.
pub(crate) const FAULTS: &[(&str, Fault)] = &[
    ("refused", Fault::Refused),
    ("reset at once", Fault::ResetAtOnce),
    ("closed without an answer", Fault::Closed),
    ("reset in the request's body", Fault::CutRequest),
    ("stalled in the request's body", Fault::StallRequest),
    ("closed after 100-continue", Fault::CloseAfterContinue),
    ("stalled before the answer", Fault::StallAnswer),
    ("reset in the headers", Fault::CutHeaders),
    ("stalled in the headers", Fault::StallHeaders),
    ("reset in the body", Fault::CutBody),
    ("truncated body", Fault::Truncated),
    ("stalled in the body", Fault::StallBody),
    ("slow loris", Fault::Drip),
    ("answer lost", Fault::LostAnswer),
    ("wrong bytes, right length", Fault::WrongBytes),
    ("request arrives spoilt", Fault::SpoiltRequest),
    ("wrong digest header", Fault::WrongDigest),
    ("no digest header", Fault::NoDigest),
    ("no Location", Fault::NoLocation),
    ("Location is no URL", Fault::OddLocation),
    ("duplicate headers", Fault::DuplicateHeaders),
    ("too many headers", Fault::HugeHeaders),
    ("garbage chunked encoding", Fault::GarbageChunks),
    ("no HTTP", Fault::NoHttp),
    ("HTML instead of JSON", Fault::Html),
    ("200 and nothing", Fault::Empty),
    ("204", Fault::NoContent),
    ("JSON that breaks off", Fault::HalfJson),
    ("oversized answer", Fault::Oversized),
    ("endless answer", Fault::Endless),
    ("gzip bomb", Fault::GzipBomb),
    ("400 that repeats the request", Fault::Echo),
    ("endless redirects", Fault::RedirectLoop),
    ("redirect to another host", Fault::RedirectElsewhere),
    ("Location at another host", Fault::LocationElsewhere),
    ("400", Fault::Status(400, None)),
    ("401", Fault::Status(401, None)),
    ("403", Fault::Status(403, None)),
    ("404", Fault::Status(404, None)),
    ("408", Fault::Status(408, None)),
    ("413", Fault::Status(413, None)),
    ("416", Fault::Status(416, None)),
    ("429", Fault::Status(429, None)),
    ("429, Retry-After: 1", Fault::Status(429, Some(Wait::Second))),
    ("429, Retry-After: a date", Fault::Status(429, Some(Wait::Date))),
    ("429, Retry-After: a day", Fault::Status(429, Some(Wait::Day))),
    ("429, Retry-After: nonsense", Fault::Status(429, Some(Wait::Nonsense))),
    ("500", Fault::Status(500, None)),
    ("501", Fault::Status(501, None)),
    ("502", Fault::Status(502, None)),
    ("503, Retry-After: 1", Fault::Status(503, Some(Wait::Second))),
    ("504", Fault::Status(504, None)),
];

/// What becomes of a request before the server sees it.
pub(crate) enum Early {
    Pass,
    Answer(Message),
}

impl Fault {
    /// The answer of those that answer by themselves.
    pub(crate) fn early(self, request: &Message, own: &str, elsewhere: &str) -> Early {
        let page = &[("Content-Type", "text/html")];
        let json = &[("Content-Type", "application/json")];
        let target = request.target();
        Early::Answer(match self {
            Self::Html => Message::answer(200, page, "<html>Welcome. Please log in.</html>"),
            Self::Empty => Message::answer(200, &[], ""),
            Self::NoContent => Message::answer(204, &[], ""),
            Self::HalfJson => Message::answer(200, json, r#"{"schemaVersion": 2, "token": "ab"#),
            Self::Echo => {
                let said = serde_json::to_string(&request.text()).unwrap();
                let body = format!(
                    r#"{{"errors":[{{"code":"UNSUPPORTED","message":{said}}},{{"code":{said}}}]}}"#
                );
                Message::answer(400, json, body)
            }
            Self::RedirectLoop => {
                let to = format!("http://{own}{target}");
                Message::answer(307, &[("Location", &to)], "")
            }
            Self::RedirectElsewhere => {
                let to = format!("http://{elsewhere}{target}");
                Message::answer(307, &[("Location", &to)], "")
            }
            Self::Status(status, wait) => {
                // A 401 comes with a challenge: a registry that has forgotten a token.
                let mut answer = Message::answer(status, json, r#"{"errors":[{"code":"ODD"}]}"#);
                if let Some(wait) = wait {
                    answer.set("Retry-After", wait.text());
                }
                answer
            }
            _ => return Early::Pass,
        })
    }

    /// What is made of the server's answer.
    pub(crate) fn late(self, answer: &mut Message, elsewhere: &str) {
        const OTHER: &str =
            "sha256:0000000000000000000000000000000000000000000000000000000000000000";
        match self {
            Self::WrongBytes => {
                let middle = answer.body.len() / 2;
                answer.body.iter_mut().skip(middle).take(3).for_each(|byte| *byte ^= 1);
            }
            Self::WrongDigest => answer.set("Docker-Content-Digest", OTHER),
            Self::NoDigest => answer.remove("docker-content-digest"),
            Self::NoLocation => answer.remove("location"),
            Self::OddLocation => answer.set("Location", "http://[half/an address"),
            Self::LocationElsewhere => {
                if let Some((_, path)) =
                    answer.header("location").and_then(|to| to.split_once("/v2/"))
                {
                    answer.set("Location", format!("http://{elsewhere}/v2/{path}"));
                }
            }
            Self::DuplicateHeaders => {
                let twice = answer.headers.clone().into_iter().map(|(name, value)| {
                    let value = match name.to_ascii_lowercase().as_str() {
                        "content-length" => "7".to_owned(),
                        "location" => "/elsewhere".to_owned(),
                        "docker-content-digest" => OTHER.to_owned(),
                        _ => value,
                    };
                    (name, value)
                });
                answer.headers.extend(twice.collect::<Vec<_>>());
            }
            Self::HugeHeaders => {
                let many = (0..2000).map(|number| (format!("X-{number}"), "x".repeat(200)));
                answer.headers.extend(many);
            }
            Self::Oversized => {
                answer.body = vec![b' '; 6 << 20];
                answer.set("Content-Length", answer.body.len().to_string());
            }
            Self::GzipBomb => {
                answer.body = bomb();
                answer.set("Content-Encoding", "gzip");
                answer.set("Content-Length", answer.body.len().to_string());
            }
            _ => {}
        }
    }
}

impl Wait {
    fn text(self) -> String {
        match self {
            Self::Second => "1".to_owned(),
            Self::Date => {
                let then = jiff::Timestamp::now() + jiff::SignedDuration::from_secs(1);
                then.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
            }
            Self::Day => "86400".to_owned(),
            Self::Nonsense => "when it suits me".to_owned(),
        }
    }
}

/// A gigabyte of zeros as gzip.
pub(crate) fn bomb() -> Vec<u8> {
    static BOMB: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
    let make = || {
        use std::io::Write as _;
        let best = flate2::Compression::fast();
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), best);
        let zeros = vec![0; 1 << 20];
        for _ in 0..1024 {
            gzip.write_all(&zeros).unwrap();
        }
        gzip.finish().unwrap()
    };
    BOMB.get_or_init(make).clone()
}
