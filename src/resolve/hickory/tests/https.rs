//! Lookups of HTTPS records.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_resolver::lookup::Lookup;
use hickory_resolver::proto::rr::rdata::svcb::{IpHint, SvcParamKey, SvcParamValue};
use hickory_resolver::proto::rr::rdata::{HTTPS, NULL, SVCB};

use super::vectors::rdata;
use super::*;
use crate::resolve::hickory::https::answer;

const TARGET: &str = "svc.test.";

/// A record with `rdata` as it is.
fn service(owner: &str, rdata: Vec<u8>) -> Record {
    let data = RData::Unknown { code: RecordType::HTTPS, rdata: NULL::with(rdata) };
    record(owner, 60, data)
}

fn record(owner: &str, ttl: u32, data: RData) -> Record {
    Record::from_rdata(Name::from_ascii(owner).unwrap(), ttl, data)
}

fn cname(owner: &str, target: &str) -> Record {
    record(owner, 60, RData::CNAME(CNAME(Name::from_ascii(target).unwrap())))
}

fn a(owner: &str, last: u8) -> Record {
    record(owner, 60, RData::A(Ipv4Addr::new(192, 0, 2, last).into()))
}

fn aaaa(owner: &str, last: u16) -> Record {
    record(owner, 60, RData::AAAA(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last).into()))
}

/// A server that answers every query with these sections.
fn server(answers: Vec<Record>, additional: Vec<Record>) -> Server {
    Server::start(move |query, _| {
        assert_eq!(query.query_type(), RecordType::HTTPS);
        let (answers, additional) = (answers.clone(), additional.clone());
        Some(Reply { answers, additional, ..Reply::code(ResponseCode::NoError) })
    })
}

async fn resolve(server: &Server) -> Result<Answer, ResolveError> {
    server.resolver(LONG).resolve(HOST, QueryKind::Https).await
}

/// Proves: DNS-4
#[tokio::test]
async fn type_65_is_asked_for_and_the_set_comes_as_it_is() {
    let records = ["0001 0003 02 6832", "0003 0002 20fb"];
    let mut answers: Vec<_> =
        (2u16..).zip(records).map(|(i, params)| service(HOST, rdata(i, TARGET, params))).collect();
    answers.push(service(HOST, rdata(0, "alias.test.", "")));
    let server = server(answers, Vec::new());
    assert_eq!(server.resolver(LONG).kinds(), Kinds::PerType);
    let answer = resolve(&server).await.unwrap();
    let expected = [
        ServiceRecord::new(2, TARGET).with_alpn(["h2"]),
        ServiceRecord::new(3, TARGET).with_port(8443),
        ServiceRecord::alias("alias.test."),
    ];
    assert_eq!(answer.services, expected);
    assert!(expires_in(answer.expires) > Duration::from_secs(50));
    assert!(expires_in(answer.expires) <= Duration::from_secs(60));
    assert_eq!(server.queries(), (1, 0));
}

#[tokio::test]
async fn after_an_alias_of_dns_the_records_say_whose_they_are() {
    let answers = vec![
        cname(HOST, "One.test."),
        cname("one.test.", "two.test."),
        service("TWO.test.", rdata(1, ".", "")),
        service("other.test.", rdata(1, "other.test.", "")),
    ];
    let server = server(answers, vec![a("two.test.", 1)]);
    let answer = resolve(&server).await.unwrap();
    let [service] = &answer.services[..] else { panic!("{answer:?}") };
    assert_eq!(service.target(), ".");
    assert!(service.owner.as_deref().unwrap().eq_ignore_ascii_case("two.test."), "{service:?}");
    // "." is the owner, so these are its addresses.
    let [(name, ip)] = &answer.additional[..] else { panic!("{answer:?}") };
    assert!(name.eq_ignore_ascii_case("two.test."), "{name}");
    assert_eq!(*ip, IpAddr::from([192, 0, 2, 1]));
}

/// Proves: DNS-12
#[tokio::test]
async fn addresses_of_targets_come_along_and_no_others() {
    let answers = vec![
        service(HOST, rdata(1, TARGET, "")),
        service(HOST, rdata(2, "cdn.test.", "")),
        service(HOST, rdata(3, "SVC.test.", "0003 0002 20fb")),
        service(HOST, rdata(4, "loop.test.", "")),
    ];
    let additional = vec![
        aaaa("Svc.test.", 1),
        a("bank.test.", 66),
        a(TARGET, 1),
        cname("cdn.test.", "edge.test."),
        a("edge.test.", 2),
        cname("loop.test.", "loop.test."),
        cname("bank.test.", TARGET),
    ];
    let answer = resolve(&server(answers, additional)).await.unwrap();
    let expected: [(Arc<str>, IpAddr); 3] = [
        (TARGET.into(), [0x2001, 0xdb8, 0, 0, 0, 0, 0, 1].into()),
        (TARGET.into(), [192, 0, 2, 1].into()),
        ("cdn.test.".into(), [192, 0, 2, 2].into()),
    ];
    assert_eq!(answer.additional, expected);
}

#[tokio::test]
async fn an_answer_lives_no_longer_than_the_addresses_that_it_brings() {
    for (additional, most) in [
        (vec![record(TARGET, 7, RData::A(Ipv4Addr::new(192, 0, 2, 1).into()))], 7),
        (vec![record(TARGET, 9, RData::CNAME(CNAME(Name::from_ascii("edge.test.").unwrap()))), a("edge.test.", 1)], 9),
        (vec![record("bank.test.", 5, RData::A(Ipv4Addr::new(192, 0, 2, 1).into()))], 60),
    ] {
        let server = server(vec![service(HOST, rdata(1, TARGET, ""))], additional);
        let expires = expires_in(resolve(&server).await.unwrap().expires);
        assert!(
            (Duration::from_secs(most - 3)..=Duration::from_secs(most)).contains(&expires),
            "{expires:?}, not {most}"
        );
    }
}

/// A response over TCP has room for thousands of each.
#[tokio::test]
async fn many_targets_of_many_addresses_are_not_multiplied() {
    let targets = (0..200).map(|i| format!("t{i}.test."));
    let answers = targets.clone().map(|target| service(HOST, rdata(1, &target, ""))).collect();
    let aliases = targets.map(|target| cname(&target, "edge.test."));
    let addresses = (0..400).map(|i| aaaa("edge.test.", i));
    let server = server(answers, aliases.chain(addresses).collect());
    let answer = resolve(&server).await.unwrap();
    assert_eq!((answer.services.len(), answer.additional.len()), (200, 256));
    assert_eq!(server.queries(), (1, 1));
}

/// As of a name server by TLS, which is out of sight.
#[test]
fn what_hickory_has_read_is_read_again() {
    let name = Name::from_ascii(HOST).unwrap();
    let read = |params| {
        let target = Name::from_ascii(TARGET).unwrap();
        let data = RData::HTTPS(HTTPS(SVCB::new(1, target, params)));
        let query = Query::query(name.clone(), RecordType::HTTPS);
        answer(&Lookup::new_with_max_ttl(query, [record(HOST, 60, data)]), &name)
    };
    let port = (SvcParamKey::Port, SvcParamValue::Port(8443));
    assert_eq!(read(vec![port]).unwrap().services, [ServiceRecord::new(1, TARGET).with_port(8443)]);
    let no_hints = (SvcParamKey::Ipv4Hint, SvcParamValue::Ipv4Hint(IpHint(Vec::new())));
    assert_eq!(read(vec![no_hints]).unwrap_err().kind(), ResolveErrorKind::Malformed);
}

#[tokio::test]
async fn other_records_are_none() {
    let error = resolve(&server(vec![a(HOST, 1)], Vec::new())).await.unwrap_err();
    assert_eq!(error.kind(), ResolveErrorKind::NoData);
}

/// Sixteen links are followed, and what is at the end of the seventeenth has nothing to do with the name.
#[test]
fn a_chain_of_cnames_is_followed_so_far() {
    for (links, follows) in [(Config::MAX_CNAMES, true), (Config::MAX_CNAMES + 1, false)] {
        let names: Vec<_> = (0..=links).map(|i| if i == 0 { HOST.to_owned() } else { format!("c{i}.test.") }).collect();
        let mut answers: Vec<_> = names.windows(2).map(|link| cname(&link[0], &link[1])).collect();
        let name = Name::from_ascii(HOST).unwrap();
        answers.push(record(&names[links], 60, RData::HTTPS(HTTPS(SVCB::new(1, name.clone(), Vec::new())))));
        let query = Query::query(name.clone(), RecordType::HTTPS);
        assert_eq!(answer(&Lookup::new_with_max_ttl(query, answers), &name).is_ok(), follows, "{links}");
    }
}
