//! `ko-rs resolve`: prints manifests with the images that they refer to.

use clap::Args;

use super::context::Context;
use super::exit::Failure;
use super::flags::{FlagsOf, Resolving};
use super::result::ResolveResult;
use super::{files, inputs, outputs, overwrite};
use crate::manifests::Parse;

/// The options of `resolve`.
#[derive(Debug, Args)]
pub(super) struct Options {
    #[command(flatten)]
    flags: FlagsOf<Resolving>,
}

/// Runs `resolve`.
pub(super) async fn run(options: Options, context: &Context) -> Result<(), Failure> {
    let work = async |complete: &_, session: &_| {
        let (manifests, places) = inputs::read(complete, session, Parse::OnlyReferences).await?;
        let targets = outputs::targets(complete, &places)?;
        overwrite::check(complete, &places, Some(&targets))?;
        let (rendered, images) = session.resolve(manifests).await?;
        let (text, mut written) = targets.manifests(rendered, complete.selector.is_some());
        written.extend(outputs::images(complete, &images)?);
        let result = ResolveResult {
            replacements: images.replacements.iter().map(Into::into).collect(),
            files: written.iter().map(|file| file.path.clone()).collect(),
            images: images.published,
            manifests: text,
        };
        files::write(written)?;
        context.results.show(&result)
    };
    context.with_session(options.flags, work).await
}
