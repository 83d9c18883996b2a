//! `ko-rs cache`: what is in the cache, and getting rid of it.

use super::arguments::CacheCommand;
use super::exit::Failure;
use crate::cache::{ByteSize, Cache, Count};

/// Does what is asked with the cache.
pub(super) fn run(cache: &Cache, command: CacheCommand) -> Result<(), Failure> {
    match command {
        CacheCommand::Show => super::print(&shown(cache)),
        CacheCommand::Clean => {
            let cleaned = cache.clean().map_err(Failure::Cache)?;
            let mut text = format!("removed {}\n", counted(cleaned.removed));
            if cleaned.kept.files > 0 {
                text.push_str(&format!(
                    "kept {}: running builds use them\n",
                    counted(cleaned.kept)
                ));
            }
            super::print(&text)
        }
    }
}

fn shown(cache: &Cache) -> String {
    let usage = cache.usage();
    let folder = cache.root().map(|root| root.display().to_string()).unwrap_or_default();
    let limit = cache.limit().map(|limit| format!(" of {}", ByteSize(limit))).unwrap_or_default();
    format!(
        "folder      {folder}\n\
         size        {}{limit}\n\
         blobs       {}\n\
         records     {}\n\
         unfinished  {}\n",
        ByteSize(usage.total().bytes),
        counted(usage.blobs),
        counted(usage.records),
        counted(usage.unfinished),
    )
}

fn counted(count: Count) -> String {
    let files = if count.files == 1 { "file" } else { "files" };
    format!("{} {files}, {}", count.files, ByteSize(count.bytes))
}
