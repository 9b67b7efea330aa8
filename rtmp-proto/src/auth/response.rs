//! What proves that the password is known.

use alloc::{format, string::String};

use base64::{Engine, engine::general_purpose::STANDARD};
use md5::{Digest, Md5};

use super::Credentials;

/// The response of `authmod=adobe`: base64(MD5(base64(MD5(user, salt, password)), challenge,
/// counter-challenge)).
pub(super) fn adobe(
    credentials: &Credentials,
    salt: &str,
    challenge: &str,
    counter: &str,
) -> String {
    let salted = STANDARD.encode(md5(&[&credentials.user, salt, &credentials.password]));
    STANDARD.encode(md5(&[&salted, challenge, counter]))
}

/// The response of `authmod=llnw`: HTTP's digest authentication (RFC 2617) with the realm `live`,
/// the method `publish` and quality of protection `auth`.
pub(super) fn limelight(
    credentials: &Credentials,
    app_path: &str,
    nonce: &str,
    count: &str,
    counter: &str,
) -> String {
    let Credentials { user, password } = credentials;
    let instance = if app_path.contains('/') {
        ""
    } else {
        "/_definst_"
    };
    let who = hex(&[user, ":live:", password]);
    let what = hex(&["publish:/", app_path, instance]);
    hex(&[&who, ":", nonce, ":", count, ":", counter, ":auth:", &what])
}

fn hex(parts: &[&str]) -> String {
    md5(parts)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn md5(parts: &[&str]) -> [u8; 16] {
    let mut md5 = Md5::new();
    for part in parts {
        md5.update(part);
    }
    md5.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 1321, appendix A.5.
    #[test]
    fn md5_vector() {
        assert_eq!(
            hex(&["message", " digest"]),
            "f96b697d7cb7938d525a2f31aaf161d0"
        );
    }

    /// Computed with Python's hashlib and base64, step by step.
    #[test]
    fn response_vectors() {
        let credentials = Credentials::new("user", "pass");
        assert_eq!(
            adobe(&credentials, "salt", "challenge", "0000002a"),
            "3/F/JphJiLp8rAIDUv7okg=="
        );
        assert_eq!(
            limelight(&credentials, "live", "nonce", "00000001", "0000002a"),
            "52c188d6a020a4c5ef6022e0c6c51e4a"
        );
        assert_eq!(
            limelight(&credentials, "live/x", "nonce", "00000001", "0000002a"),
            "68d2258d5dc58d4fcef8bba09413219b"
        );
    }
}
