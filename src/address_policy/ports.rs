//! Ports that are of other protocols.

/// The bad ports of the WHATWG's Fetch standard as it stood in 2025, to which browsers do not connect: somebody who
/// makes requests could make a server of another protocol do something.
const BAD_PORTS: [u16; 83] = [
    0, 1, 7, 9, 11, 13, 15, 17, 19, 20, 21, 22, 23, 25, 37, 42, 43, 53, 69, 77, 79, 87, 95, 101, 102, 103, 104, 109,
    110, 111, 113, 115, 117, 119, 123, 135, 137, 139, 143, 161, 179, 389, 427, 465, 512, 513, 514, 515, 526, 530, 531,
    532, 540, 548, 554, 556, 563, 587, 601, 636, 989, 990, 993, 995, 1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060,
    5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679, 6697, 10080,
];

/// Whether a record cannot send anybody to `port`. Whoever writes a URI may know what they do (RFC 9460 section 9.1).
pub(crate) fn is_bad_port(port: u16) -> bool {
    BAD_PORTS.binary_search(&port).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_port_of_the_list_is_found_and_those_of_the_web_are_not() {
        assert!(BAD_PORTS.is_sorted_by(|one, next| one < next));
        assert!(BAD_PORTS.into_iter().all(is_bad_port));
        for port in [80, 443, 4443, 6001, 8000, 8080, 8443, 10081, u16::MAX] {
            assert!(!is_bad_port(port), "{port}");
        }
    }
}
