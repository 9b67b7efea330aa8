//! The key exchange: Diffie-Hellman in the 1024-bit group of RFC 2409, section 6.2.

use core::fmt;

use crypto_bigint::{
    Odd, U256, U1024,
    modular::{FixedMontyForm, FixedMontyParams},
};

use super::hmac_sha256;

/// One side of the exchange.
pub(crate) struct KeyExchange {
    private: U256,
    public: [u8; PUBLIC_KEY_LEN],
}

impl KeyExchange {
    /// A key pair that follows from `seed`, which must be random for the secret to be one.
    pub(crate) fn new(seed: &[u8; 32]) -> Self {
        // 256 bits are more than the group can make use of, and a quarter of the work.
        let private = U256::from_be_slice(&hmac_sha256(seed, b"RTMPE private key"));
        let public = power(&GENERATOR, &private);
        Self { private, public }
    }

    /// The public key, with leading zeros.
    pub(crate) const fn public(&self) -> &[u8; PUBLIC_KEY_LEN] {
        &self.public
    }

    /// The secret shared with the owner of `peer_public`; `None` if that is no public key: 0, 1, -1
    /// or none of the group, with which the secret would be known to all.
    pub(crate) fn shared_secret(
        &self,
        peer_public: &[u8; PUBLIC_KEY_LEN],
    ) -> Option<[u8; PUBLIC_KEY_LEN]> {
        let peer = U1024::from_be_slice(peer_public);
        let last = PRIME.as_ref().wrapping_sub(&U1024::ONE);
        (peer > U1024::ONE && peer < last).then(|| power(&peer, &self.private))
    }
}

impl fmt::Debug for KeyExchange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyExchange")
    }
}

fn power(base: &U1024, exponent: &U256) -> [u8; PUBLIC_KEY_LEN] {
    let power = FixedMontyForm::new(base, &GROUP).pow(exponent).retrieve();
    power
        .to_be_bytes()
        .as_slice()
        .try_into()
        .expect("1024 bits are 128 bytes")
}

/// Bytes of a public key and of the secret.
pub(crate) const PUBLIC_KEY_LEN: usize = 128;

const GENERATOR: U1024 = U1024::from_u8(2);

const PRIME: Odd<U1024> = Odd::<U1024>::from_be_hex(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74\
     020BBEA63B139B22514A08798E3404DDEF9519B3CD3A431B302B0A6DF25F1437\
     4FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED\
     EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE65381FFFFFFFFFFFFFFFF",
);

const GROUP: FixedMontyParams<{ U1024::LIMBS }> = FixedMontyParams::new_vartime(PRIME);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_sides_get_the_same_secret() {
        for seed in 0..4 {
            let a = KeyExchange::new(&[seed; 32]);
            let b = KeyExchange::new(&[seed + 1; 32]);
            let secret = a.shared_secret(b.public());
            assert!(secret.is_some());
            assert_eq!(secret, b.shared_secret(a.public()));
            assert_ne!(a.public(), b.public());
        }
    }

    /// 2^16 and 2^(16 * 16), small enough to be known without the modulus.
    #[test]
    fn small_powers() {
        let mut public = [0; PUBLIC_KEY_LEN];
        public[125] = 1;
        let exchange = KeyExchange {
            private: U256::from_u8(16),
            public,
        };
        assert_eq!(power(&GENERATOR, &exchange.private), public);
        let mut secret = [0; PUBLIC_KEY_LEN];
        secret[127 - 32] = 1;
        assert_eq!(exchange.shared_secret(&public), Some(secret));
    }

    #[test]
    fn what_is_no_public_key() {
        let exchange = KeyExchange::new(&[1; 32]);
        let bytes = |number: &U1024| {
            let bytes: [u8; PUBLIC_KEY_LEN] = number.to_be_bytes().as_slice().try_into().unwrap();
            bytes
        };
        let prime = PRIME.as_ref();
        for (number, is_valid) in [
            (U1024::ZERO, false),
            (U1024::ONE, false),
            (GENERATOR, true),
            (prime.wrapping_sub(&GENERATOR), true),
            (prime.wrapping_sub(&U1024::ONE), false),
            (*prime, false),
            (U1024::MAX, false),
        ] {
            let secret = exchange.shared_secret(&bytes(&number));
            assert_eq!(secret.is_some(), is_valid, "{number}");
        }
    }
}
