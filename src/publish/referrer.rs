//! SBOMs in a registry: each becomes a referrer of its image before a tag names the image, so that the
//! SBOM can be found as soon as the image can.
//!
//! If the registry does not accept an SBOM, that is a warning, or an error if SBOMs are required.

use super::codes;
use super::error::Error;
use super::registry::{Hints, Push};
use super::sbom::{self, Attachment, NO_CONFIG, no_config};
use super::sealed::Sealed;
use crate::oci::Image;
use crate::registry::{self, BlobBody};
use crate::report::{Diagnostic, Severity};

impl Push<'_> {
    /// Queries what SBOMs are made of while layers are pushed. Returns whether there will be SBOMs.
    pub(super) async fn prepare(&self) -> Result<bool, Error> {
        match self.sboms.prepare().await {
            Ok(wanted) => Ok(wanted),
            Err(error) => self.do_without(error).map(|()| false),
        }
    }

    /// Pushes the SBOMs of images as blobs, to which no manifest refers yet.
    pub(super) async fn documents(
        &self,
        sealed: &Sealed,
        hints: &Hints,
    ) -> Result<Vec<Attachment>, Error> {
        match self.send_documents(sealed.images(), hints).await {
            Ok(sboms) => Ok(sboms),
            Err(error) => self.do_without(error).map(|()| Vec::new()),
        }
    }

    async fn send_documents(
        &self,
        images: &[Image],
        hints: &Hints,
    ) -> Result<Vec<Attachment>, sbom::Error> {
        let mut sboms = Vec::new();
        for image in images {
            sboms.extend(self.sboms.of(image).await?);
        }
        let config = no_config();
        let known = sboms.is_empty() || hints.contains(&config.digest);
        let there = known || self.client.has_blob(self.repository, &config.digest).await?;
        if !there {
            let body = BlobBody::Bytes(NO_CONFIG.into());
            self.client.push_blob(self.repository, &config, body).await?;
        }
        for sbom in &sboms {
            let body = BlobBody::Bytes(sbom.document.clone());
            self.client.push_blob(self.repository, &sbom.descriptor, body).await?;
        }
        Ok(sboms)
    }

    /// Makes an SBOM a referrer of its image. `there` is whether the registry has the image already,
    /// `certain` whether nothing that was left out is merely assumed to be there.
    pub(super) async fn attach(
        &self,
        image: &Image,
        sbom: &Attachment,
        there: bool,
        certain: bool,
    ) -> Result<(), Error> {
        let refer = async || {
            let (subject, bytes) = (image.digest(), sbom.manifest.clone());
            self.client.push_referrer(self.repository, &subject, &sbom.referrer, bytes).await
        };
        let sent = match refer().await {
            // A registry may require that the subject exists first; it gets no tag yet.
            Err(error) if !there && is_refusal(&error) => {
                match self.push_manifest(None, image.descriptor(), image.manifest()).await {
                    Ok(()) => refer().await,
                    Err(Error::Registry(blob)) if blob.is_missing_blob() => Err(blob),
                    // Whether the registry accepts the image shows when it gets its tag.
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

    /// Continues without an SBOM, if that is allowed.
    fn do_without(&self, error: sbom::Error) -> Result<(), Error> {
        if self.sboms.are_required() {
            return Err(Error::Sbom(error));
        }
        let mut warning = Diagnostic::of(&error);
        warning.severity = Severity::Warning;
        warning.code = Some(&codes::SBOM_NOT_PUSHED);
        warning.causes.insert(0, warning.message);
        warning.message = format!("the image in `{}` has no SBOM", self.repository);
        if warning.hints.is_empty() {
            warning.hints.push(
                "use `--sbom=none` to make none, or `--sbom=required` to make this an error"
                    .to_owned(),
            );
        }
        self.report.diagnostic(warning);
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
