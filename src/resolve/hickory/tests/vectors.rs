//! Bytes of DNS, among them the test vectors of RFC 9460 appendix D.

/// The data of a record: priority, target, and parameters in hexadecimal.
pub(in crate::resolve::hickory) fn rdata(priority: u16, target: &str, params: &str) -> Vec<u8> {
    let mut rdata = priority.to_be_bytes().to_vec();
    for label in target.split('.').filter(|label| !label.is_empty()) {
        rdata.push(u8::try_from(label.len()).unwrap());
        rdata.extend(label.as_bytes());
    }
    rdata.push(0);
    rdata.extend(hex(params));
    rdata
}

/// A response of id 0x1234 to a question for `a.test.`: its flags, and answers in hexadecimal.
pub(in crate::resolve::hickory) fn response(flags: &str, record_type: u16, answers: &[&str]) -> Vec<u8> {
    let count = u16::try_from(answers.len()).unwrap();
    let header = hex(&format!("1234 {flags} 0001 {count:04x} 0000 0000"));
    let question = hex(&format!("01 61 04 74657374 00 {record_type:04x} 0001"));
    [header, question, hex(&answers.concat())].concat()
}

pub(in crate::resolve::hickory) fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<_> = text.chars().filter(|c| !c.is_whitespace()).collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(&String::from_iter(pair), 16).unwrap()).collect()
}

/// Appendix D.3, as far as it makes a record malformed: what it shows, and the data.
pub(in crate::resolve::hickory) fn malformed() -> [(&'static str, Vec<u8>); 7] {
    [
        ("key123=abc key123=def", "007b 0003 616263 007b 0003 646566"),
        ("mandatory", "0000 0000"),
        ("alpn", "0001 0000"),
        ("port", "0003 0000"),
        ("ipv4hint", "0004 0000"),
        ("ipv6hint", "0006 0000"),
        ("no-default-alpn=abc", "0002 0003 616263"),
    ]
    .map(|(text, params)| (text, rdata(1, "foo.example.com.", params)))
}

/// The rest of appendix D.3: well formed, with mandatory keys that make no sense.
pub(in crate::resolve::hickory) fn inconsistent() -> [(&'static str, Vec<u8>, Vec<u16>); 3] {
    [
        ("mandatory=key123", "0000 0002 007b", vec![123]),
        ("mandatory=mandatory", "0000 0002 0000", vec![0]),
        ("mandatory=key123,key123 key123=abc", "0000 0004 007b 007b 007b 0003 616263", vec![123, 123]),
    ]
    .map(|(text, params, keys)| (text, rdata(1, "foo.example.com.", params), keys))
}
