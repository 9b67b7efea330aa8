//! TLS by rustls, or its absence.
//!
//! Without the feature `rustls` the types exist and cannot be made, so that code which is generic
//! over both builds either way.

#[cfg(feature = "rustls")]
pub use self::enabled::{Acceptor, Connector, TlsError};

#[cfg(not(feature = "rustls"))]
pub use self::disabled::{Acceptor, Connector};

#[cfg(feature = "rustls")]
mod enabled {
    use std::{fmt, path::Path, sync::Arc};

    use futures_rustls::{
        TlsAcceptor, TlsConnector,
        rustls::{
            self, ClientConfig, RootCertStore, ServerConfig,
            crypto::ring,
            pki_types::{CertificateDer, PrivateKeyDer, ServerName, pem::PemObject},
        },
    };

    use crate::{error::Error, socket::Socket, transport::BoxedTransport};

    /// The client's side of TLS.
    #[derive(Clone)]
    pub struct Connector(TlsConnector);

    impl Connector {
        /// Trusts the system's root certificates and those in the PEM file `extra_roots`.
        ///
        /// # Errors
        ///
        /// The file cannot be read, or there is no root certificate at all.
        pub fn new(extra_roots: Option<&Path>) -> Result<Self, TlsError> {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if let Some(path) = extra_roots {
                for certificate in certificates(path)? {
                    roots.add(certificate)?;
                }
            }
            if roots.is_empty() {
                return Err(TlsError::NoRoots);
            }
            let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_root_certificates(roots)
                .with_no_client_auth();
            Ok(Self(Arc::new(config).into()))
        }

        pub(crate) async fn connect(
            &self,
            host: &str,
            tcp: Socket,
        ) -> Result<BoxedTransport, Error> {
            let name =
                ServerName::try_from(host.to_owned()).map_err(|_| Error::InvalidServerName)?;
            let tls = self.0.connect(name, tcp).await.map_err(Error::Tls)?;
            Ok(Box::new(tls))
        }
    }

    impl fmt::Debug for Connector {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Connector")
        }
    }

    /// The server's side of TLS.
    #[derive(Clone)]
    pub struct Acceptor(TlsAcceptor);

    impl Acceptor {
        /// Presents the certificate chain in the PEM file `certificates`, whose private key is in the
        /// PEM file `key`.
        ///
        /// # Errors
        ///
        /// A file cannot be read or holds nothing of the kind, or the two do not belong together.
        pub fn new(certificate_file: &Path, key_file: &Path) -> Result<Self, TlsError> {
            let key = PrivateKeyDer::from_pem_file(key_file).map_err(|source| TlsError::Pem {
                file: key_file.to_owned(),
                source,
            })?;
            let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
                .with_safe_default_protocol_versions()?
                .with_no_client_auth()
                .with_single_cert(certificates(certificate_file)?, key)?;
            Ok(Self(Arc::new(config).into()))
        }

        pub(crate) async fn accept(self, tcp: Socket) -> Result<BoxedTransport, Error> {
            let tls = self.0.accept(tcp).await.map_err(Error::Tls)?;
            Ok(Box::new(tls))
        }
    }

    impl fmt::Debug for Acceptor {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("Acceptor")
        }
    }

    /// Why certificates are of no use.
    #[derive(Debug, thiserror::Error)]
    #[non_exhaustive]
    pub enum TlsError {
        /// A file cannot be read as PEM.
        #[error("cannot read {}", .file.display())]
        Pem {
            /// The file.
            file: std::path::PathBuf,
            /// Why.
            source: rustls::pki_types::pem::Error,
        },
        /// A file holds no certificate.
        #[error("no certificate in {}", .file.display())]
        NoCertificate {
            /// The file.
            file: std::path::PathBuf,
        },
        /// The system has no root certificates and none were given.
        #[error("no root certificates on this system")]
        NoRoots,
        /// rustls refuses the certificate or key.
        #[error("certificate or key refused")]
        Refused(#[from] rustls::Error),
    }

    fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
        let pem = |source| TlsError::Pem {
            file: file.to_owned(),
            source,
        };
        let certificates = CertificateDer::pem_file_iter(file)
            .map_err(pem)?
            .collect::<Result<Vec<_>, _>>()
            .map_err(pem)?;
        if certificates.is_empty() {
            return Err(TlsError::NoCertificate {
                file: file.to_owned(),
            });
        }
        Ok(certificates)
    }
}

#[cfg(not(feature = "rustls"))]
mod disabled {
    use std::convert::Infallible;

    use crate::{error::Error, socket::Socket, transport::BoxedTransport};

    /// The client's side of TLS; needs the feature `rustls`.
    #[derive(Clone, Debug)]
    pub struct Connector(Infallible);

    impl Connector {
        pub(crate) async fn connect(&self, _: &str, _: Socket) -> Result<BoxedTransport, Error> {
            match self.0 {}
        }
    }

    /// The server's side of TLS; needs the feature `rustls`.
    #[derive(Clone, Debug)]
    pub struct Acceptor(Infallible);

    impl Acceptor {
        pub(crate) async fn accept(self, _: Socket) -> Result<BoxedTransport, Error> {
            match self.0 {}
        }
    }
}
