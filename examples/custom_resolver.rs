//! A resolver of one's own: it streams IPv4 and IPv6 answers, each when it is there.
//!
//! It connects to a server that the example starts itself on 127.0.0.1: `cargo run --example custom_resolver`.

use std::collections::HashMap;
use std::error::Error;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use hyper_happy_eyeballs::resolve::{Answer, Kinds, QueryKind, Resolve, ResolveError, ResolveErrorKind, Resolving};
use hyper_happy_eyeballs::{Config, Families, HappyEyeballsConnector};
use tokio::net::TcpListener;
use tower_service::Service;

/// A table in the place of DNS. IPv6 takes its time, for which nobody waits.
struct Table(HashMap<&'static str, Vec<IpAddr>>);

impl Resolve for Table {
    fn kinds(&self) -> Kinds {
        Kinds::PerFamily
    }

    fn resolve(&self, name: &str, kind: QueryKind) -> Resolving {
        let found = self.0.get(name).cloned();
        Box::pin(async move {
            let unknown = || ResolveError::new(ResolveErrorKind::NxDomain, "not in the table");
            let mut addresses = found.ok_or_else(unknown)?;
            addresses.retain(|ip| ip.is_ipv4() == (kind == QueryKind::A));
            if kind == QueryKind::Aaaa {
                tokio::time::sleep(Duration::from_secs(60)).await;
            }
            Ok(Answer::from_ips(addresses))
        })
    }
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
    let port = listener.local_addr()?.port();

    let table = Table(HashMap::from([("service.test", vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()])]));
    let mut config = Config::default();
    config.families(Families::Both);
    let mut connector = HappyEyeballsConnector::builder_with_resolver(table).config(config).plaintext().build()?;

    // IPv4 is dialled 50 ms after its answer, the Resolution Delay, though IPv6 is still being looked up.
    let stream = connector.call(format!("tcp://service.test:{port}").parse()?).await?;
    println!("{}", stream.report());

    match connector.call(format!("tcp://nobody.test:{port}").parse()?).await {
        Ok(_) => Err("nobody.test is not in the table".into()),
        Err(error) => {
            println!("{error}");
            Ok(())
        }
    }
}
