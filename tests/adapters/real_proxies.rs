//! F36, X23 and invariant 11 of the key pool, against the proxies that people run: whatever a proxy does, no key is to
//! blame, and the call may be made directly exactly when no byte of the request has reached the vendor.

use std::time::Duration;

use nproxy::adapters::images::{Failure, Http};
use sandbox::{Fault, Options, Sandbox};

use super::{
    authority::{Authority, Valid, front},
    daemon::{Daemon, LOGIN, Program, Rule},
    peer::{AMPLE, Outcome, Peer, SECRET, SOON, class, generate_by},
};

/// A vendor on `http://` and `https://`.
struct World {
    vendor: Sandbox,
    tls: Peer,
    http: Http,
}

impl World {
    async fn new() -> Self {
        let vendor = Sandbox::start(Options { latency: Duration::ZERO, ..Options::default() }).await.unwrap();
        vendor.gemini().sketch(true);
        let authority = Authority::new("vendor");
        let tls = front(authority.signs("127.0.0.1", Valid::Now), vendor.http_addr()).await;
        Self { vendor, tls, http: authority.trusted() }
    }

    /// The vendor's addresses, and whether the proxy itself speaks HTTP to them.
    fn addresses(&self, program: Program) -> [(String, bool); 2] {
        [(self.vendor.url(), !program.is_socks()), (self.tls.https(), false)]
    }

    async fn call(&self, address: &str, proxy: &str, deadline: Duration) -> Outcome {
        generate_by(&self.http, address, proxy, deadline).await
    }

    /// Nothing arrived, and asked directly the vendor answers: the one fallback there is.
    async fn untouched(&self, address: &str) {
        assert!(self.vendor.gemini().calls().is_empty(), "{:?}", self.vendor.gemini().calls());
        assert_eq!(class(&self.call(address, "", AMPLE).await), "delivered");
        self.vendor.gemini().clear();
    }
}

#[tokio::test]
async fn tinyproxy() {
    tries(Program::Tinyproxy).await;
}

#[tokio::test]
async fn squid() {
    tries(Program::Squid).await;
}

#[tokio::test]
async fn microsocks() {
    tries(Program::Microsocks).await;
}

#[tokio::test]
async fn dante() {
    tries(Program::Dante).await;
}

async fn tries(program: Program) {
    if program.find().is_none() {
        return;
    }
    let world = World::new().await;
    lets_everybody_through(&world, program).await;
    asks_for_a_login(&world, program).await;
    if program != Program::Microsocks {
        refuses_the_destination(&world, program).await;
    }
    cannot_reach_the_vendor(&world, program).await;
    dies_in_the_middle(&world, program).await;
    freezes(&world, program).await;
}

async fn lets_everybody_through(world: &World, program: Program) {
    let proxy = Daemon::start(program, Rule::Everybody).await.unwrap();
    let gemini = world.vendor.gemini();
    for (address, _) in world.addresses(program) {
        for (fault, wanted) in [
            (None, "delivered"),
            // The vendor's own words stay the vendor's on every way.
            (Some(Fault::Unauthenticated), "credential"),
            (Some(Fault::NoFunds), "out_of_funds"),
            (Some(Fault::NoQuota), "out_of_funds"),
            (Some(Fault::Status { code: 503 }), "transient"),
            (Some(Fault::RefusedPrompt), "refused"),
        ] {
            gemini.heal_all();
            if let Some(fault) = fault.clone() {
                gemini.fault(SECRET, fault);
            }
            let outcome = world.call(&address, &proxy.url(""), AMPLE).await;
            assert_eq!(class(&outcome), wanted, "{program:?} {address} {fault:?}: {outcome:?}");
        }
        // Hung up on with the request in hand, the proxy says so in a page, or hangs up as well. Nothing is repeated.
        gemini.fault(SECRET, Fault::Reset);
        gemini.clear();
        let outcome = world.call(&address, &proxy.url(""), AMPLE).await;
        let failure = outcome.as_ref().unwrap_err();
        assert!(
            matches!(failure, Failure::Ambiguous { .. } | Failure::ProxyFault { request_sent: true, .. }),
            "{failure:?}"
        );
        assert!(failure.may_have_run() && !failure.may_go_direct(), "{program:?} {address}: {failure:?}");
        assert_eq!(gemini.calls().len(), 1);
        gemini.heal_all();
    }
    gemini.clear();
}

async fn asks_for_a_login(world: &World, program: Program) {
    let proxy = Daemon::start(program, Rule::WhoKnowsTheLogin).await.unwrap();
    for (address, speaks) in world.addresses(program) {
        for (login, status) in [("ada:wrong", if program == Program::Tinyproxy { 401 } else { 407 }), ("", 407)] {
            let outcome = world.call(&address, &proxy.url(login), AMPLE).await;
            assert_eq!(class(&outcome), "proxy_fault before", "{program:?} {address} {login:?}: {outcome:?}");
            assert_eq!(outcome.unwrap_err().http_status(), speaks.then_some(status), "{program:?} {login:?}");
            world.untouched(&address).await;
        }
        // Dante asks the system, where nobody can log in.
        if program != Program::Dante {
            let outcome = world.call(&address, &proxy.url(LOGIN), AMPLE).await;
            assert_eq!(class(&outcome), "delivered", "{program:?} {address}: {outcome:?}");
            world.vendor.gemini().clear();
        }
    }
}

async fn refuses_the_destination(world: &World, program: Program) {
    let proxy = Daemon::start(program, Rule::Elsewhere).await.unwrap();
    for (address, speaks) in world.addresses(program) {
        let outcome = world.call(&address, &proxy.url(""), AMPLE).await;
        assert_eq!(class(&outcome), "proxy_fault before", "{program:?} {address}: {outcome:?}");
        assert_eq!(outcome.unwrap_err().http_status(), speaks.then_some(403), "{program:?}");
        world.untouched(&address).await;
    }
}

async fn cannot_reach_the_vendor(world: &World, program: Program) {
    let proxy = Daemon::start(program, Rule::Everybody).await.unwrap();
    let nobody = Peer::nobody().await;
    for scheme in ["http", "https"] {
        // What a proxy says in a page of its own tells not how far the request came.
        let wanted = if scheme == "http" && !program.is_socks() { "proxy_fault after" } else { "proxy_fault before" };
        let outcome = world.call(&format!("{scheme}://{nobody}"), &proxy.url(""), AMPLE).await;
        assert_eq!(class(&outcome), wanted, "{program:?} {scheme}: {outcome:?}");
    }
}

async fn dies_in_the_middle(world: &World, program: Program) {
    let gemini = world.vendor.gemini();
    for (address, _) in world.addresses(program) {
        let mut proxy = Daemon::start(program, Rule::Everybody).await.unwrap();
        gemini.fault(SECRET, Fault::Hang);
        let url = proxy.url("");
        let dies = async {
            assert!(gemini.wait_for_calls(1, AMPLE).await);
            proxy.kill();
        };
        let (outcome, ()) = tokio::join!(world.call(&address, &url, AMPLE), dies);
        assert_eq!(class(&outcome), "ambiguous", "{program:?} {address}: {outcome:?}");
        assert_eq!(gemini.calls().len(), 1);
        gemini.heal_all();
        gemini.clear();

        // And from then on nobody listens there.
        let outcome = world.call(&address, &url, AMPLE).await;
        assert_eq!(class(&outcome), "proxy_fault before", "{program:?} {address}: {outcome:?}");
        world.untouched(&address).await;
    }
}

async fn freezes(world: &World, program: Program) {
    for (address, speaks) in world.addresses(program) {
        let proxy = Daemon::start(program, Rule::Everybody).await.unwrap();
        proxy.freeze();
        // To a proxy that speaks for us the request is handed over at once; a tunnel has to stand first.
        let wanted = if speaks { "ambiguous" } else { "proxy_fault before" };
        let outcome = world.call(&address, &proxy.url(""), SOON).await;
        assert_eq!(class(&outcome), wanted, "{program:?} {address}: {outcome:?}");
        world.untouched(&address).await;
    }
}
