//! TLS servers that get through to their clients only up to a place.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy, split};
use tokio::net::TcpStream;
use tokio::time::sleep;

/// A place in what a server says, and what comes of it there. What the client says gets through until it leaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cut {
    /// How many records of TLS get through whole.
    pub records: usize,
    /// How much of the next one does.
    pub within: Within,
    pub then: Then,
}

/// A place in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Within {
    Start,
    /// Its type and version are through, its length is not.
    Header,
    Half,
    /// All but the last byte.
    End,
}

/// What comes then.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Then {
    /// Nothing more.
    Silence,
    /// The end of the connection, with a FIN.
    Close,
    /// With a RST.
    Reset,
    /// The rest of the record with each bit inverted, and more that is no TLS.
    Garbage,
    /// The rest, a byte at a time, with so much time before each.
    Drip(Duration),
}

const HEADER: usize = 5;

impl Within {
    fn split(self, record: &[u8]) -> (&[u8], &[u8]) {
        record.split_at(match self {
            Self::Start => 0,
            Self::Header => 3,
            Self::Half => (HEADER + record.len()) / 2,
            Self::End => record.len() - 1,
        })
    }
}

impl Cut {
    /// Carries what the two say to each other, as long as both are there.
    pub(super) async fn relay(self, client: &mut TcpStream, server: impl AsyncRead + AsyncWrite) -> io::Result<()> {
        let (mut from_client, mut to_client) = client.split();
        let (from_server, mut to_server) = split(server);
        tokio::select! {
            said = self.say(from_server, &mut to_client) => said?,
            heard = copy(&mut from_client, &mut to_server) => drop(heard?),
        }
        if self.then == Then::Reset {
            super::server::reset(client);
        }
        Ok(())
    }

    async fn say(self, mut server: impl AsyncRead + Unpin, client: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        for _ in 0..self.records {
            client.write_all(&record(&mut server).await?).await?;
        }
        let record = record(&mut server).await?;
        let (before, after) = self.within.split(&record);
        client.write_all(before).await?;
        match self.then {
            Then::Reset => return Ok(()),
            Then::Silence => {}
            Then::Close => client.shutdown().await?,
            Then::Garbage => {
                let inverted: Vec<_> = after.iter().map(|byte| !byte).collect();
                client.write_all(&inverted).await?;
                client.write_all(&[0xff; 64]).await?;
            }
            Then::Drip(pause) => {
                let mut rest = after.chain(server);
                loop {
                    sleep(pause).await;
                    client.write_u8(rest.read_u8().await?).await?;
                }
            }
        }
        // The client is the one to leave.
        std::future::pending().await
    }
}

/// The next record of TLS, with its header.
async fn record(server: &mut (impl AsyncRead + Unpin)) -> io::Result<Vec<u8>> {
    let mut record = vec![0; HEADER];
    server.read_exact(&mut record).await?;
    let length = u16::from_be_bytes([record[3], record[4]]);
    record.resize(HEADER + usize::from(length), 0);
    server.read_exact(&mut record[HEADER..]).await?;
    Ok(record)
}
