//! Entry points for `fuzz/` to what reads bytes from outside.

use super::certificate::Facts;

/// A certificate.
pub fn certificate(bytes: &[u8]) {
    let _ = Facts::read(bytes);
}
