//! Values of options.

use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

/// Nobody waits longer, and sums of times stay far from overflow.
const LONGEST: Duration = Duration::from_secs(7 * 24 * 60 * 60);

pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    match seconds {
        Some(time) if time.is_zero() => Err("it has to be more than 0".into()),
        Some(time) if time > LONGEST => Err("it is more than a week".into()),
        Some(time) => Ok(time),
        None => Err("not a number of seconds".into()),
    }
}

pub(super) fn milliseconds(text: &str) -> Result<Duration, String> {
    match text.parse().map(Duration::from_millis) {
        Ok(time) if time <= LONGEST => Ok(time),
        Ok(_) => Err("it is more than a week".into()),
        Err(_) => Err("not a whole number of milliseconds".into()),
    }
}

/// An address with a port or without, IPv6 in brackets or not.
pub(super) fn name_server(text: &str) -> Result<SocketAddr, String> {
    match text.parse::<SocketAddr>() {
        Ok(addr) if addr.port() == 0 => Err("port is 0".into()),
        Ok(addr) => Ok(addr),
        Err(_) => ip(text).map(|ip| SocketAddr::new(ip, 53)),
    }
}

fn ip(text: &str) -> Result<IpAddr, String> {
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    bare.parse().map_err(|_| format!("{text:?} is not an IP address"))
}

/// Addresses of one host at one port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Override {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) addrs: Vec<IpAddr>,
}

impl FromStr for Override {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut parts = text.splitn(3, ':');
        let (Some(host), Some(port), Some(addrs)) = (parts.next(), parts.next(), parts.next()) else {
            return Err("not of the form HOST:PORT:ADDR[,ADDR]".into());
        };
        if host.is_empty() || host.starts_with('[') {
            return Err("the host has to be a name".into());
        }
        match port.parse() {
            Ok(0) | Err(_) => Err(format!("{port:?} is not a port")),
            Ok(port) => {
                let addrs = addrs.split(',').map(ip).collect::<Result<_, _>>()?;
                Ok(Self { host: host.into(), port, addrs })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_positive_and_bounded() {
        assert_eq!(seconds("0.25"), Ok(Duration::from_millis(250)));
        assert_eq!(seconds("604800"), Ok(LONGEST));
        for bad in ["0", "-1", "NaN", "inf", "1e300", "604800.1", "", "1s"] {
            assert!(seconds(bad).is_err(), "{bad}");
        }
        assert_eq!(milliseconds("0"), Ok(Duration::ZERO));
        assert_eq!(milliseconds("604800000"), Ok(LONGEST));
        for bad in ["-1", "0.5", "604800001", "18446744073709551615", ""] {
            assert!(milliseconds(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_name_server_is_an_address() {
        let good = [
            ("192.0.2.1", "192.0.2.1:53"),
            ("192.0.2.1:5353", "192.0.2.1:5353"),
            ("2001:db8::1", "[2001:db8::1]:53"),
            ("[2001:db8::1]", "[2001:db8::1]:53"),
            ("[2001:db8::1]:5353", "[2001:db8::1]:5353"),
        ];
        for (text, addr) in good {
            assert_eq!(name_server(text), Ok(addr.parse().unwrap()));
        }
        for bad in ["dns.test", "192.0.2.1:0", "192.0.2.1:65536", "[192.0.2.1", ""] {
            assert!(name_server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_override_is_for_a_host_and_port() {
        let expected = Override {
            host: "a.test".into(),
            port: 443,
            addrs: vec!["2001:db8::1".parse().unwrap(), "192.0.2.1".parse().unwrap()],
        };
        for text in ["a.test:443:[2001:db8::1],192.0.2.1", "a.test:443:2001:db8::1,192.0.2.1"] {
            assert_eq!(text.parse(), Ok(expected.clone()));
        }
        for bad in ["a.test", "a.test:443", "a.test:443:", "a.test:0:::1", ":443:::1", "a.test:x:::1", "[::1]:443:::1"]
        {
            assert!(bad.parse::<Override>().is_err(), "{bad}");
        }
    }
}
