//! Files that nobody means to change: those of editors and of version control.

use std::path::Path;

/// The folders in which version control keeps its data.
const REPOSITORIES: [&str; 4] = [".git", ".hg", ".jj", ".svn"];

/// Whether version control keeps its data there.
pub(super) fn is_repository_data(path: &Path) -> bool {
    name(path).is_some_and(|name| REPOSITORIES.contains(&name))
}

/// Whether an editor keeps this file beside the edited one: a swap file, a backup, a lock, or the new
/// contents before they are renamed.
pub(super) fn is_of_editor(path: &Path) -> bool {
    let Some(name) = name(path) else { return false };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    // vim: `.main.rs.swp` and its successors, `4913` to test the folder; all: `main.rs~`.
    let is_swap = name.starts_with('.')
        && [".swp", ".swo", ".swn", ".swx", ".swpx"].iter().any(|suffix| name.ends_with(suffix));
    let is_probe = digits(name) && name.len() == 4 && name.starts_with("49");
    // Emacs: `#main.rs#`, `.#main.rs`. JetBrains: `main.rs___jb_tmp___`, `…___jb_old___`.
    let is_emacs = name.starts_with(".#") || (name.starts_with('#') && name.ends_with('#'));
    let is_jetbrains = name.ends_with("___jb_tmp___") || name.ends_with("___jb_old___");
    // KDE and GNOME save into these before they rename.
    let is_desktop = name.starts_with(".goutputstream-") || name.ends_with(".kate-swp");
    is_swap || is_probe || is_emacs || is_jetbrains || is_desktop || name.ends_with('~')
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_of_editors_are_told_from_sources() {
        let temporary = [
            ".main.rs.swp",
            "4913",
            "4914",
            "main.rs~",
            "#main.rs#",
            ".#main.rs",
            "main.rs___jb_tmp___",
            "main.rs___jb_old___",
            ".goutputstream-ABC",
            ".main.rs.kate-swp",
        ];
        for name in temporary {
            assert!(is_of_editor(Path::new(name)), "{name}");
        }
        for name in ["main.rs", ".env", "#notes", "49", "500", "2024", ".ko-rs.yaml", "a.swp"] {
            assert!(!is_of_editor(Path::new(name)), "{name}");
        }
        assert!(is_repository_data(Path::new("/a/.git")) && !is_repository_data(Path::new("/a/b")));
    }
}
