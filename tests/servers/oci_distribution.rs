//! The Rust client that others use pulls what ko-rs pushes, and ko-rs uses what it pushes as a base.

use oci_distribution::client::{ClientConfig, ClientProtocol, Config};
use oci_distribution::manifest::OciManifest;
use oci_distribution::secrets::RegistryAuth::Anonymous;
use oci_distribution::{Client, Reference};

use crate::publish::{NAME, hello};
use crate::servers::{olareg, registry};

const LAYER: &str = "application/vnd.oci.image.layer.v1.tar+gzip";
const SPDX: &str = "application/spdx+json";

fn client(host: &str) -> Client {
    // Another test of this process may have installed it.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let protocol = ClientProtocol::HttpsExcept(vec![host.to_owned()]);
    let config = ClientConfig { protocol, use_monolithic_push: true, ..ClientConfig::default() };
    Client::try_from(config).unwrap()
}

#[tokio::test]
async fn another_client_pulls_by_tag_and_by_digest_what_is_pushed_and_pushes_a_base() {
    for host in [&olareg().host, &registry().host] {
        let client = client(host);
        let repository = format!("{host}/judged/{NAME}");
        let reference = |name: String| name.parse::<Reference>().unwrap();
        let sandbox = hello().env("KO_DOCKER_REPO", format!("{host}/judged"));
        let flags = ["build", "--tags=v1", "--layer-compression=gzip"];
        let both = "--platform=linux/amd64,linux/arm64";
        let ran = sandbox.run(flags.iter().copied().chain([both])).exits(0);
        let (_, digest) = ran.line().rsplit_once('@').unwrap();

        // The index, and each of its images with all layers; blobs are verified by the client.
        let tagged = reference(format!("{repository}:v1"));
        let (_, found) = client.pull_manifest(&tagged, &Anonymous).await.unwrap();
        assert_eq!(found, digest);
        let by_digest = reference(format!("{repository}@{digest}"));
        let (manifest, found) = client.pull_manifest(&by_digest, &Anonymous).await.unwrap();
        assert_eq!(found, digest);
        let OciManifest::ImageIndex(index) = manifest else { panic!("{manifest:?}") };
        assert_eq!(index.manifests.len(), 2);
        let mut pulled = Vec::new();
        for entry in &index.manifests {
            let image = reference(format!("{repository}@{}", entry.digest));
            let data = client.pull(&image, &Anonymous, vec![LAYER]).await.unwrap();
            assert_eq!(data.digest.as_deref(), Some(entry.digest.as_str()));
            let referrers = client.pull_referrers(&image, None).await.unwrap().manifests;
            let types: Vec<_> = referrers.iter().map(|one| one.artifact_type.as_deref()).collect();
            assert_eq!(types, [Some(SPDX)], "{host}");
            pulled.push(data);
        }

        // What it pushes of that is a base.
        let data = pulled.swap_remove(0);
        let manifest = data.manifest.unwrap();
        let digests: Vec<_> = manifest.layers.iter().map(|layer| layer.digest.clone()).collect();
        // They come in the order in which their downloads ended.
        let mut layers = data.layers;
        layers.sort_by_key(|layer| {
            digests.iter().position(|digest| *digest == layer.sha256_digest())
        });
        let config = Config::oci_v1(data.config.data, None);
        let base = reference(format!("{host}/judged/base:v1"));
        client.push(&base, &layers, config, &Anonymous, Some(manifest)).await.unwrap();
        let base = format!("--base-image={host}/judged/base:v1");
        let bare =
            ["--bare", "--repo", &format!("{host}/judged/on-base"), &base].map(str::to_owned);
        let flags = flags.iter().map(|&flag| flag.to_owned());
        let _ = sandbox.run(flags.chain(bare).chain(["--platform=linux/amd64".into()])).exits(0);
        let built = reference(format!("{host}/judged/on-base:v1"));
        let (built, _) = client.pull_image_manifest(&built, &Anonymous).await.unwrap();
        let mut built = built.layers.into_iter().map(|layer| layer.digest);
        for digest in &digests {
            assert!(built.any(|layer| layer == *digest), "{host}: {digest}");
        }
    }
}
