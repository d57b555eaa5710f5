//! The corpus against `AddressPolicy::public_only`, on loopback. `tests/netns/policy.rs` has it where every address there
//! is would be reached.

use std::time::Duration;

use hyper_happy_eyeballs::{AddressPolicy, Config};

use crate::corpus;
use crate::tripwire::Tripwire;

/// Proves: NAM-9
#[tokio::test]
async fn nothing_gets_inside_past_public_only() {
    let tripwire = Tripwire::open();
    let mut config = Config::default();
    config.address_policy(AddressPolicy::public_only());
    let spellings = corpus::spellings(&config, tripwire.port());
    assert!(spellings.len() >= 3 * 150);
    corpus::run(&spellings).await;
    corpus::run(&corpus::answers(&config, tripwire.port())).await;
    assert_eq!(tripwire.accepted(), 0);
}

/// Without the policy many of them do get there; otherwise the test above would tell nothing.
#[tokio::test]
async fn without_a_policy_the_corpus_gets_inside() {
    let tripwire = Tripwire::open();
    let mut config = Config::default();
    config.connect_timeout(Some(Duration::from_secs(5)));
    let mut accepted = 0;
    for attack in corpus::spellings(&config, tripwire.port()) {
        // Of others than loopback nobody knows where they would lead.
        if attack.is_loopback() && matches!(attack.run().await, Some(Ok(()))) {
            accepted += tripwire.accepted();
        }
    }
    assert!(accepted > 300, "{accepted}");
}
