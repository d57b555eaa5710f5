use super::*;

#[test]
fn a_policy_on_loopback_sees_every_way_to_write_it() {
    let policy = AddressPolicy::new(|_, addr| match addr.ip().is_loopback() {
        true => Verdict::deny("loopback"),
        false => Verdict::Allow,
    });
    for host in ["127.0.0.1", "0.0.0.0", "[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:0.0.0.0]"] {
        let origin = Origin::from_uri(&format!("http://{host}/").parse().unwrap()).unwrap();
        let addr = origin.host().socket_addr(80).unwrap();
        assert_eq!(policy.judge(&origin, addr, &[]), Verdict::deny("loopback"), "{host}");
        assert_eq!(AddressPolicy::default().judge(&origin, addr, &[]), Verdict::Allow, "{host}");
    }
}

/// As the kernel connects it to the host itself.
#[test]
fn the_unspecified_address_is_not_public() {
    let origin = Origin::from_uri(&"http://[::]/".parse().unwrap()).unwrap();
    for (ip, reason) in [("::", "::1 is loopback (RFC 4291)"), ("0.0.0.0", "127.0.0.1 is loopback (RFC 1122)")] {
        let verdict = AddressPolicy::public_only().judge(&origin, SocketAddr::new(ip.parse().unwrap(), 80), &[]);
        assert_eq!(verdict, Verdict::deny(reason));
    }
}

/// A zone is no way around it.
#[test]
fn only_public_addresses_pass_public_only() {
    let policy = AddressPolicy::public_only();
    let origin = Origin::from_uri(&"http://h.test/".parse().unwrap()).unwrap();
    for (addr, expected) in [
        ("8.8.8.8:443", Verdict::Allow),
        ("[2606:4700::1111]:80", Verdict::Allow),
        ("192.168.1.1:80", Verdict::deny("192.168.1.1 is for private use (RFC 1918)")),
        ("[fe80::1%1]:80", Verdict::deny("fe80::1 is link-local (RFC 4291)")),
        ("[::ffff:10.0.0.1]:80", Verdict::deny("10.0.0.1 is for private use (RFC 1918)")),
    ] {
        assert_eq!(policy.judge(&origin, addr.parse().unwrap(), &[]), expected, "{addr}");
    }
}

fn network(text: &str) -> Network {
    text.parse().unwrap_or_else(|_| panic!("{text} is no network"))
}

fn prefix(text: &str) -> Nat64Prefix {
    text.parse().unwrap_or_else(|_| panic!("{text} is no prefix"))
}

fn judge(policy: &AddressPolicy, ip: &str, nat64: &[Nat64Prefix]) -> Verdict {
    let origin = Origin::from_uri(&"http://h.test/".parse().unwrap()).unwrap();
    let ip = ip.parse().unwrap_or_else(|_| panic!("{ip} is no address"));
    policy.judge(&origin, SocketAddr::new(ip, 80), nat64)
}

fn allows(policy: &AddressPolicy, ip: &str) -> bool {
    judge(policy, ip, &[]) == Verdict::Allow
}

/// Every way to write 10.1.2.3 in IPv6, with the prefixes that have to be known.
const EMBEDDING: [(&str, &[&str]); 14] = [
    ("::ffff:10.1.2.3", &[]),
    ("::10.1.2.3", &[]),
    ("::ffff:0:10.1.2.3", &[]),
    ("64:ff9b::10.1.2.3", &[]),
    ("64:ff9b:1::10.1.2.3", &[]),
    ("64:ff9b:1:a01:2:300::", &[]),
    ("2002:a01:203::1", &[]),
    ("2001:0:808:808:0:1234:f5fe:fdfc", &[]),
    ("2606:4700::5efe:10.1.2.3", &[]),
    ("2606:4700::200:5efe:10.1.2.3", &[]),
    ("2606:4700:64::10.1.2.3", &["2606:4700:64::/96"]),
    ("2606:4700:a01:203::", &["2001:db8::/96", "2606:4700::/32"]),
    // Translators do not look at what stands behind.
    ("2606:4700:122:a01:2:3ff:ffff:ffff", &["2606:4700:122::/48"]),
    ("2606:4700:122:344:ff0a:102:3ff:ffff", &["2606:4700:122:344::/64"]),
];

/// Proves: NAM-11
#[test]
fn what_is_denied_as_ipv4_is_denied_in_every_embedding() {
    let function = AddressPolicy::new(|_, addr| match addr.ip() == Ipv4Addr::new(10, 1, 2, 3) {
        true => Verdict::deny("not for us"),
        false => Verdict::Allow,
    });
    let policies = [
        AddressPolicy::public_only(),
        AddressPolicy::deny([network("10.1.2.3")]),
        AddressPolicy::allow([network("8.8.8.0/24"), network("::/0")]),
        function,
    ];
    for (ip, prefixes) in EMBEDDING {
        let prefixes: Vec<_> = prefixes.iter().copied().map(prefix).collect();
        for policy in &policies {
            let Verdict::Deny(reason) = judge(policy, ip, &prefixes) else { panic!("{ip} is allowed") };
            assert!(ip == "::ffff:10.1.2.3" || reason.starts_with("leads to 10.1.2.3: "), "{ip}: {reason}");
        }
        // It is that address and no other that is denied.
        assert_eq!(judge(&AddressPolicy::deny([network("10.1.2.4")]), ip, &prefixes), Verdict::Allow, "{ip}");
        assert_eq!(judge(&AddressPolicy::default(), ip, &prefixes), Verdict::Allow, "{ip}");
    }
}

/// A translator may well take 0.0.0.0 for its own host.
#[test]
fn an_embedded_unspecified_address_is_loopback() {
    let policy = AddressPolicy::deny([network("127.0.0.0/8")]);
    for (ip, prefixes) in [("64:ff9b::", &[][..]), ("2002::1", &[]), ("2606:4700::", &[prefix("2606:4700::/96")])] {
        assert_ne!(judge(&policy, ip, prefixes), Verdict::Allow, "{ip}");
    }
}

#[test]
fn a_list_denies_or_allows_and_says_why() {
    let denying = AddressPolicy::deny([network("10.0.0.0/8"), network("fd00::/8")]);
    assert_eq!(judge(&denying, "10.1.2.3", &[]), Verdict::deny("10.1.2.3 is in 10.0.0.0/8, which is denied"));
    assert_eq!(judge(&denying, "fd00::1", &[]), Verdict::deny("fd00::1 is in fd00::/8, which is denied"));
    assert!(allows(&denying, "11.0.0.0") && allows(&denying, "fc00::1"));

    let allowing = AddressPolicy::allow([network("10.0.0.0/8"), network("fd00::/8")]);
    let reason = "11.0.0.0 is in none of the networks that are allowed";
    assert_eq!(judge(&allowing, "11.0.0.0", &[]), Verdict::deny(reason));
    assert!(allows(&allowing, "10.1.2.3") && allows(&allowing, "::ffff:10.1.2.3") && allows(&allowing, "fd00::1"));

    assert!(allows(&AddressPolicy::deny([]), "10.1.2.3"));
    assert!(!allows(&AddressPolicy::allow([]), "10.1.2.3"));
}

/// Behind the well-known prefix there are IPv4 addresses alone; others are somebody's networks too.
#[test]
fn a_nat64_leads_to_what_is_allowed() {
    let policy = AddressPolicy::allow([network("10.0.0.0/8")]);
    assert!(allows(&policy, "64:ff9b::10.1.2.3") && !allows(&policy, "64:ff9b::11.0.0.0"));
    let own = [prefix("2001:db8:64::/96")];
    assert_ne!(judge(&policy, "2001:db8:64::10.1.2.3", &own), Verdict::Allow);
    let policy = policy.or(AddressPolicy::allow([network("2001:db8:64::/96")]));
    assert_eq!(judge(&policy, "2001:db8:64::10.1.2.3", &own), Verdict::Allow);
    assert_ne!(judge(&policy, "2001:db8:64::11.0.0.0", &own), Verdict::Allow);
    assert!(!allows(&AddressPolicy::deny([network("64:ff9b::/96")]), "64:ff9b::10.1.2.3"));
}

#[test]
fn policies_are_combined() {
    let policy = AddressPolicy::public_only()
        .or(AddressPolicy::allow([network("10.1.0.0/16")]))
        .and(AddressPolicy::deny([network("10.1.0.1"), network("8.8.4.4")]));
    for (ip, allowed) in [
        ("8.8.8.8", true),
        ("2606:4700::1111", true),
        ("10.1.2.3", true),
        ("64:ff9b::10.1.2.3", true),
        ("2002:a01:203::1", true),
        ("10.1.0.1", false),
        ("64:ff9b::10.1.0.1", false),
        ("2002:a01:1::1", false),
        ("8.8.4.4", false),
        ("10.2.0.0", false),
        ("127.0.0.1", false),
    ] {
        assert_eq!(allows(&policy, ip), allowed, "{ip}");
    }
    // The first has the word.
    assert_eq!(judge(&policy, "10.2.0.0", &[]), Verdict::deny("10.2.0.0 is for private use (RFC 1918)"));
    let both = AddressPolicy::deny([network("10.1.0.1")]).and(AddressPolicy::public_only());
    assert_eq!(judge(&both, "10.1.0.1", &[]), Verdict::deny("10.1.0.1 is in 10.1.0.1/32, which is denied"));
}

#[test]
fn the_default_denies_nothing_in_a_combination() {
    let denying = || AddressPolicy::deny([network("10.0.0.0/8")]);
    for policy in [denying().and(AddressPolicy::default()), AddressPolicy::default().and(denying())] {
        assert!(!allows(&policy, "10.1.2.3"));
    }
    for policy in [denying().or(AddressPolicy::default()), AddressPolicy::default().or(denying())] {
        assert!(allows(&policy, "10.1.2.3"));
    }
}
