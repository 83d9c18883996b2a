//! Reads the blob of a layer once, from compressed bytes to facts, and verifies its digests.

use std::io::{self, Read};

use super::blob::Blob;
use super::layer_facts::{LARGEST_TAR, LayerError, LayerFacts};
use crate::oci::{Digest, Digester, Layer};

/// The maximum window of a zstd frame: that of `zstd --ultra -22`.
const ZSTD_WINDOW_LOG: u32 = 27;

/// Reads a layer from its blob.
pub(super) fn unpack(layer: &Layer, blob: &Blob) -> Result<LayerFacts, LayerError> {
    unpack_from(layer, blob.open()?)
}

/// Reads a layer from a stream.
pub(super) fn unpack_from(layer: &Layer, blob: impl Read) -> Result<LayerFacts, LayerError> {
    let mut digested = Digested::new(blob);
    let (facts, diff_id, size) = {
        let plain: Box<dyn Read + '_> = match compression(layer.descriptor.media_type.as_ref()) {
            Some("gzip") => Box::new(flate2::read::MultiGzDecoder::new(&mut digested)),
            Some(_) => {
                let mut decoder = zstd::Decoder::new(&mut digested)?;
                decoder.window_log_max(ZSTD_WINDOW_LOG)?;
                Box::new(decoder)
            }
            None => Box::new(&mut digested),
        };
        let mut tar = Digested::new(plain.take(LARGEST_TAR));
        let facts = LayerFacts::read(&mut tar)?;
        let size = tar.digester.length();
        (facts, tar.digester.finish(), size)
    };
    if size >= LARGEST_TAR {
        return Err(LayerError::TooLarge);
    }
    io::copy(&mut digested, &mut io::sink())?;
    let is = |what, expected: Digest, found| match expected == found {
        true => Ok(()),
        false => Err(LayerError::Digest { what, expected, found }),
    };
    is("blob", layer.descriptor.digest, digested.digester.finish())?;
    is("tar", layer.diff_id, diff_id)?;
    Ok(facts)
}

/// The compression of a layer with a media type.
fn compression(media_type: &str) -> Option<&'static str> {
    ["gzip", "zstd"].into_iter().find(|kind| media_type.ends_with(kind))
}

/// A reader that computes the digest of its input.
struct Digested<R> {
    input: R,
    digester: Digester,
}

impl<R> Digested<R> {
    fn new(input: R) -> Self {
        Self { input, digester: Digester::default() }
    }
}

impl<R: Read> Read for Digested<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.input.read(buffer)?;
        self.digester.update(&buffer[..count]);
        Ok(count)
    }
}
