//! Which player a request comes from, as far as it tells: enough to know it again, and nothing that
//! could be used.

use std::net::IpAddr;

use sha2::{Digest, Sha256};

use super::admit::{Door, ViewerRequest};

/// A hash over what a player repeats from request to request, its door, its token and its address among
/// it: what an open door has let in is nobody at a gated one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ViewerKey([u8; 32]);

impl ViewerKey {
    /// The key of a request.
    pub fn of(request: &ViewerRequest, client: IpAddr) -> Self {
        let mut hash = Sha256::new();
        let mut field = |text: &str| {
            // The length keeps fields from sliding into each other.
            hash.update((text.len() as u64).to_be_bytes());
            hash.update(text);
        };
        field(match request.door {
            Door::Gated => "gated",
            Door::Open => "open",
        });
        field(request.stream.as_str());
        field(&client.to_string());
        let parameters = &request.parameters;
        let optional = [
            &request.player,
            &request.url,
            &parameters.token,
            &parameters.expires,
            &parameters.options,
            &parameters.tag,
        ];
        for value in optional {
            field(value.as_deref().unwrap_or_default());
        }
        Self(hash.finalize().into())
    }
}
