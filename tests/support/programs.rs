//! Programs that tests write and run.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

/// Writes a program. It is written by another process: a test that starts a child at the same time
/// would hand the open file on to it, and the program could not be run until that child has ended.
pub(crate) fn write_program(path: &Path, content: impl AsRef<[u8]>) {
    let mut draft = tempfile::NamedTempFile::new_in(path.parent().unwrap()).unwrap();
    draft.write_all(content.as_ref()).unwrap();
    fs::set_permissions(draft.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let copied = Command::new("cp").arg("-p").arg(draft.path()).arg(path).status().unwrap();
    assert!(copied.success());
}
