//! What a registry is asked, step by step: which requests are meant, and how ko-rs is led to them.

use crate::wire::Message;

/// A step, and so a column of the matrix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    FindTag,
    PullManifest,
    PullBlob,
    FindBlob,
    Open,
    Mount,
    Stream,
    EndStream,
    Copy,
    Known,
    Change,
    PutManifest,
    PutChild,
    PutReferrer,
    GetList,
    PutList,
    ListedReferrer,
    Token,
    Refresh,
}

/// How ko-rs proves who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A password with each request, from config.json.
    Password,
    /// The same from a helper program.
    Helper,
    /// Tokens for a password.
    Token,
    /// Tokens for an identity token.
    Identity,
    /// Not at all: the registry with the referrers API is open.
    Nothing,
}

pub(super) const STEPS: [Step; 19] = [
    Step::FindTag,
    Step::PullManifest,
    Step::PullBlob,
    Step::FindBlob,
    Step::Open,
    Step::Mount,
    Step::Stream,
    Step::EndStream,
    Step::Copy,
    Step::Known,
    Step::Change,
    Step::PutManifest,
    Step::PutChild,
    Step::PutReferrer,
    Step::GetList,
    Step::PutList,
    Step::ListedReferrer,
    Step::Token,
    Step::Refresh,
];

/// The repository of the base.
pub(super) const BASE: &str = "faults/base";

fn is(message: &Message, method: &str, part: &str) -> bool {
    message.method() == method && message.target().contains(part)
}

impl Step {
    /// The head of its column.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::FindTag => "HEAD manifest",
            Self::PullManifest => "GET manifest",
            Self::PullBlob => "GET blob",
            Self::FindBlob => "HEAD blob",
            Self::Open => "POST upload",
            Self::Mount => "POST mount",
            Self::Stream => "PATCH streamed",
            Self::EndStream => "PUT its end",
            Self::Copy => "PATCH copied",
            Self::Known => "PUT known",
            Self::Change => "PUT refused stream",
            Self::PutManifest => "PUT manifest",
            Self::PutChild => "PUT index child",
            Self::PutReferrer => "PUT referrer",
            Self::GetList => "GET referrers tag",
            Self::PutList => "PUT referrers tag",
            Self::ListedReferrer => "PUT listed referrer",
            Self::Token => "GET token",
            Self::Refresh => "POST token",
        }
    }

    /// Whether a request belongs to it.
    pub(super) fn is(self) -> fn(&Message) -> bool {
        match self {
            Self::FindTag => |message| is(message, "HEAD", "/manifests/latest"),
            Self::PullManifest => |message| is(message, "GET", "/faults/base/manifests/"),
            Self::PullBlob => |message| is(message, "GET", "/faults/base/blobs/"),
            Self::FindBlob => |message| is(message, "HEAD", "/blobs/"),
            Self::Open => |message| {
                is(message, "POST", "/blobs/uploads/") && !message.target().contains("mount=")
            },
            Self::Mount => |message| is(message, "POST", "mount="),
            Self::Stream | Self::Copy => |message| is(message, "PATCH", ""),
            Self::EndStream => |message| {
                is(message, "PUT", "/blobs/") && message.header("content-length") == Some("0")
            },
            // Configurations are small, and pushed this way too.
            Self::Known | Self::Change => |message| {
                let length = message.header("content-length").and_then(|text| text.parse().ok());
                is(message, "PUT", "/blobs/") && length.is_some_and(|length: u64| length > 20_000)
            },
            Self::PutManifest => |message| is(message, "PUT", "/manifests/latest"),
            // With a bill and no index, what is put by digest is the bill.
            Self::PutChild | Self::PutReferrer | Self::ListedReferrer => {
                |message| is(message, "PUT", "/manifests/sha256:")
            }
            Self::GetList => |message| is(message, "GET", "/manifests/sha256-"),
            Self::PutList => |message| is(message, "PUT", "/manifests/sha256-"),
            Self::Token => |message| is(message, "GET", "/token"),
            Self::Refresh => |message| is(message, "POST", "/token"),
        }
    }

    /// What the registry refuses whatever the fault.
    pub(super) fn refuses(self) -> fn(&Message) -> Option<u16> {
        match self {
            Self::Change => |message| (message.method() == "PATCH").then_some(405),
            _ => |_| None,
        }
    }

    pub(super) fn proof(self) -> Proof {
        match self {
            Self::FindTag | Self::Open | Self::EndStream => Proof::Password,
            Self::PullBlob | Self::Change | Self::PutChild => Proof::Helper,
            Self::ListedReferrer => Proof::Nothing,
            Self::Refresh => Proof::Identity,
            _ => Proof::Token,
        }
    }

    /// Whether the layers were packed before, so that their digests are known.
    pub(super) fn knows_layers(self) -> bool {
        matches!(self, Self::FindTag | Self::Copy | Self::Known)
    }

    /// Whether the image stands on a base of the registry, and not on the embedded one.
    pub(super) fn pulls(self) -> bool {
        matches!(self, Self::PullManifest | Self::PullBlob | Self::Mount | Self::Copy)
    }

    /// Whether the base is at another registry, as names have it.
    pub(super) fn copies(self) -> bool {
        matches!(self, Self::PullBlob | Self::Copy)
    }

    /// Which bill of materials an image must have.
    pub(super) fn bill(self) -> &'static str {
        match self {
            Self::PutReferrer | Self::GetList | Self::PutList | Self::ListedReferrer => "required",
            _ => "none",
        }
    }

    pub(super) fn platforms(self) -> &'static str {
        match self {
            Self::PutChild => "linux/amd64,linux/arm64",
            _ => "linux/amd64",
        }
    }
}
