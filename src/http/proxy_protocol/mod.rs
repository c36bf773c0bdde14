//! Takes the PROXY header off a connection, byte for byte: what follows is TLS's or HTTP's.

mod header;
#[cfg(test)]
mod tests;

use std::io;
use std::net::{IpAddr, Ipv4Addr};

use tokio::io::{AsyncRead, AsyncReadExt};

pub use header::HeaderError;
use header::{PROBE, V1_LONGEST, V2_REST, V2_SIGNATURE};

/// Whom a connection comes from where its proxy does not say: an address that nobody has and nobody
/// trusts. The proxy's own would not do, because then the client's `X-Forwarded-For` would be believed.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);

/// Why a connection has no client.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// What was read.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// It could not be read.
    #[error("the connection ended within its PROXY header ({0})")]
    Read(#[from] io::Error),
}

/// Reads the header, at most 2 KiB, and returns the client's address. The caller bounds the time.
pub async fn client(io: &mut (impl AsyncRead + Unpin)) -> Result<IpAddr, ProxyError> {
    let mut probe = [0; PROBE];
    io.read_exact(&mut probe).await?;
    let named = if probe == V2_SIGNATURE {
        let mut rest = [0; V2_REST];
        io.read_exact(&mut rest).await?;
        let mut payload = vec![0; header::length(rest)?];
        io.read_exact(&mut payload).await?;
        header::binary(rest, &payload)?
    } else {
        line(io, &probe).await?
    };
    Ok(named.map_or(NOBODY, |address| address.to_canonical()))
}

async fn line(
    io: &mut (impl AsyncRead + Unpin),
    probe: &[u8; PROBE],
) -> Result<Option<IpAddr>, ProxyError> {
    if !probe.starts_with(b"PROXY ") {
        return Err(HeaderError::Missing.into());
    }
    let mut line = Vec::with_capacity(V1_LONGEST);
    line.extend_from_slice(probe);
    // One at a time, because the line says where it ends only there.
    while line.last() != Some(&b'\n') {
        if line.len() == V1_LONGEST {
            return Err(HeaderError::Line.into());
        }
        line.push(io.read_u8().await?);
    }
    Ok(header::line(&line)?)
}
