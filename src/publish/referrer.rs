//! Bills of materials in a registry: each becomes a referrer of its image, before a tag names the
//! image, so that whoever finds the image finds the bill too.
//!
//! That a registry does not take one is a warning, or an error where bills are required.

use super::error::Error;
use super::registry::{Hints, Push};
use super::sbom::{self, Bill, NO_CONFIG, no_config};
use super::sealed::Sealed;
use crate::oci::Image;
use crate::registry::{self, BlobBody};

impl Push<'_> {
    /// Finds out what bills of materials are made of, while layers are on their way. Whether there
    /// will be bills.
    pub(super) async fn prepare(&self) -> Result<bool, Error> {
        match self.bills.prepare().await {
            Ok(wanted) => Ok(wanted),
            Err(error) => self.do_without(error).map(|()| false),
        }
    }

    /// Sends the documents about images, to which nothing refers yet.
    pub(super) async fn documents(
        &self,
        sealed: &Sealed,
        hints: &Hints,
    ) -> Result<Vec<Bill>, Error> {
        match self.send_documents(sealed.images(), hints).await {
            Ok(bills) => Ok(bills),
            Err(error) => self.do_without(error).map(|()| Vec::new()),
        }
    }

    async fn send_documents(
        &self,
        images: &[Image],
        hints: &Hints,
    ) -> Result<Vec<Bill>, sbom::Error> {
        let mut bills = Vec::new();
        for image in images {
            bills.extend(self.bills.of(image).await?);
        }
        let config = no_config();
        let known = bills.is_empty() || hints.contains(&config.digest);
        let there = known || self.client.has_blob(self.repository, &config.digest).await?;
        if !there {
            let body = BlobBody::Bytes(NO_CONFIG.into());
            self.client.push_blob(self.repository, &config, body).await?;
        }
        for bill in &bills {
            let body = BlobBody::Bytes(bill.document.clone());
            self.client.push_blob(self.repository, &bill.descriptor, body).await?;
        }
        Ok(bills)
    }

    /// Makes a document a referrer of its image, which may or may not be `there` yet. `certain` says
    /// that nothing of what was sent rests on a mere hint.
    pub(super) async fn attach(
        &self,
        image: &Image,
        bill: &Bill,
        there: bool,
        certain: bool,
    ) -> Result<(), Error> {
        let refer = async || {
            let (subject, bytes) = (image.digest(), bill.manifest.clone());
            self.client.push_referrer(self.repository, &subject, &bill.referrer, bytes).await
        };
        let sent = match refer().await {
            // A registry may want to see what is referred to first; it gets no tag yet.
            Err(error) if !there && is_refusal(&error) => {
                match self.push_manifest(None, image.descriptor(), image.manifest()).await {
                    Ok(()) => refer().await,
                    Err(Error::Registry(blob)) if blob.is_missing_blob() => Err(blob),
                    // Whether the image is welcome shows where it gets its tag.
                    Err(_) => Err(error),
                }
            }
            sent => sent,
        };
        match sent {
            Ok(()) => Ok(()),
            Err(error) if error.is_missing_blob() && !certain => Err(Error::Registry(error)),
            Err(error) => self.do_without(error.into()),
        }
    }

    /// Goes on without a bill of materials, if that is allowed.
    fn do_without(&self, error: sbom::Error) -> Result<(), Error> {
        if self.bills.are_required() {
            return Err(Error::Sbom(error));
        }
        let mut message = format!("the image in `{}` has no bill of materials", self.repository);
        let mut cause: Option<&dyn std::error::Error> = Some(&error);
        while let Some(error) = cause {
            message.push_str(&format!(": {error}"));
            cause = error.source();
        }
        let out = "`--sbom=none` makes none; `--sbom=required` makes this an error".to_owned();
        self.report.warn(message, Some(error.hint().unwrap_or(out)));
        Ok(())
    }
}

fn is_refusal(error: &registry::Error) -> bool {
    error.is_missing_blob() || error.status().is_some_and(|status| status.is_client_error())
}

impl From<registry::Error> for sbom::Error {
    fn from(error: registry::Error) -> Self {
        Self::Push(error)
    }
}
