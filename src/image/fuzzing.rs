//! A door for `fuzz/` to what reads layers.

use super::contents::Contents;
use super::layer_facts::LayerFacts;

/// A layer's tar: what is kept of it is no more than was there.
pub fn layer(tar: &[u8]) {
    let Ok(facts) = LayerFacts::read(tar) else { return };
    let kept: usize = facts.nodes().map(|(path, _)| path.len()).sum();
    assert!(kept <= tar.len().saturating_mul(2), "{kept} bytes of names from {}", tar.len());
    let texts: usize = facts.texts.values().map(String::len).sum();
    assert!(texts <= tar.len().saturating_mul(3), "{texts} bytes of text from {}", tar.len());
    let _ = Contents::from_layers([facts]);
}
