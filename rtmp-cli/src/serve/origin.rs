//! Connections by where they come from.

use std::{
    collections::{HashMap, hash_map::Entry},
    fmt,
    net::{IpAddr, Ipv6Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tracing::{info, warn};

use super::notice::Notice;
use crate::args::Maximum;

/// How many connections each address has, up to a limit.
#[derive(Debug)]
pub(super) struct Origins {
    limit: Maximum,
    connections: Mutex<HashMap<Origin, usize>>,
    refusals: Notice,
}

impl Origins {
    pub(super) fn new(limit: Maximum) -> Arc<Self> {
        Arc::new(Self {
            limit,
            connections: Mutex::default(),
            refusals: Notice::default(),
        })
    }

    /// Counts one more from `address`, unless it has as many as it may.
    pub(super) fn admit(self: &Arc<Self>, address: IpAddr) -> Option<FromOrigin> {
        let origin = Origin::of(address);
        let mut connections = self.lock();
        let count = connections.get(&origin).copied().unwrap_or_default();
        if !self.limit.allows(count) {
            drop(connections);
            if let Some(refused) = self.refusals.happens() {
                let limit = self.limit;
                warn!(
                    %limit, refused,
                    "too many connections from one address, {origin} the latest: more are refused"
                );
            }
            return None;
        }
        connections.insert(origin, count + 1);
        let origins = Arc::clone(self);
        Some(FromOrigin { origins, origin })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Origin, usize>> {
        // A map is whole between any two of its operations.
        self.connections
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// One counted connection, until it is dropped.
#[derive(Debug)]
pub(super) struct FromOrigin {
    origins: Arc<Origins>,
    origin: Origin,
}

impl Drop for FromOrigin {
    fn drop(&mut self) {
        let mut connections = self.origins.lock();
        if let Entry::Occupied(mut entry) = connections.entry(self.origin) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
        drop(connections);
        if let Some(refused) = self.origins.refusals.is_over() {
            info!(
                refused,
                "an address that had too many connections has room again"
            );
        }
    }
}

/// What one party has at its disposal: an IPv4 address, or the 2^64 addresses of an IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Origin(IpAddr);

impl Origin {
    fn of(address: IpAddr) -> Self {
        Self(match address.to_canonical() {
            IpAddr::V6(ip) => {
                let [a, b, c, d, ..] = ip.segments();
                Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
            }
            v4 => v4,
        })
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            IpAddr::V4(ip) => ip.fmt(f),
            IpAddr::V6(ip) => write!(f, "{ip}/64"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    #[test]
    fn each_address_has_its_own() {
        let origins = Origins::new(Maximum::from(1));
        let first = origins.admit(address("192.0.2.1")).unwrap();
        assert!(origins.admit(address("192.0.2.1")).is_none());
        // As a listener on [::] sees it.
        assert!(origins.admit(address("::ffff:192.0.2.1")).is_none());
        let _other = origins.admit(address("192.0.2.2")).unwrap();
        drop(first);
        assert!(origins.admit(address("192.0.2.1")).is_some());
    }

    #[test]
    fn an_ipv6_network_is_one_address() {
        let origins = Origins::new(Maximum::from(1));
        let _first = origins.admit(address("2001:db8:0:7::1")).unwrap();
        assert!(origins.admit(address("2001:db8:0:7:ffff::2")).is_none());
        let _other = origins.admit(address("2001:db8:0:8::1")).unwrap();
        let shown = Origin::of(address("2001:db8:0:7::1")).to_string();
        assert_eq!(shown, "2001:db8:0:7::/64");
    }

    /// Whoever comes from one address after the other does not fill the map.
    #[test]
    fn who_has_left_is_forgotten() {
        let origins = Origins::new(Maximum::from(2));
        let both = [origins.admit(address("::1")), origins.admit(address("::1"))];
        assert_eq!(origins.lock().len(), 1);
        drop(both);
        assert!(origins.lock().is_empty());
    }
}
