//! Certificates made here.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Makes a certificate for `localhost` that signs itself, and its key, as PEM files in `directory`.
pub fn certificate(directory: &Path, name: &str) -> (PathBuf, PathBuf) {
    let certified =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("the name is valid");
    let certificate = directory.join(format!("{name}.crt"));
    let key = directory.join(format!("{name}.key"));
    fs::write(&certificate, certified.cert.pem()).expect("the directory can be written");
    fs::write(&key, certified.signing_key.serialize_pem()).expect("the directory can be written");
    (certificate, key)
}
