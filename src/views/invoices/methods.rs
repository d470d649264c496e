//! A way to pay, as our own page tells it: what, how much, over which network, to where.

use serde::Serialize;
use url::form_urlencoded::byte_serialize;

use crate::models::invoices::{Method, Model};

#[derive(Debug, Serialize)]
pub struct MethodView {
    pub id: String,
    pub title: String,
    /// How long it takes and what it costs besides.
    pub hint: &'static str,
    /// `0.00010009`, exactly as the processor wants it. Without its unit, which wallets refuse in the field for it.
    pub amount: String,
    pub network: String,
    pub currency: String,
    pub address_name: String,
    pub address: String,
    /// Opens a wallet; empty where none would answer.
    pub wallet_url: String,
    pub qr_url: String,
}

/// The cheapest first. `page` is where the invoice is shown.
#[must_use]
pub fn methods(invoice: &Model, page: &str) -> Vec<MethodView> {
    named(invoice).into_iter().map(|method| view(method, invoice, page)).collect()
}

/// What the processor last asked for: `0.00010009 BTC by Lightning or Bitcoin`. `None` where only its own page can say.
#[must_use]
pub fn asked(invoice: &Model) -> Option<String> {
    let mut amounts: Vec<(String, Vec<String>)> = Vec::new();
    for method in named(invoice) {
        let amount = format!("{} {}", method.due, method.currency);
        match amounts.iter_mut().find(|(known, _)| *known == amount) {
            Some((_, networks)) => networks.push(method.network),
            None => amounts.push((amount, vec![method.network])),
        }
    }
    let words: Vec<_> =
        amounts.into_iter().map(|(amount, networks)| format!("{amount} by {}", networks.join(" or "))).collect();
    (!words.is_empty()).then(|| words.join(", or "))
}

/// What a coin was worth when the processor last said so: `1 BTC = 65000.00 USD`.
#[must_use]
pub fn rate(invoice: &Model) -> Option<String> {
    let told = named(invoice).into_iter();
    let in_words = |method: Method| Some(format!("1 {} = {} {}", method.currency, method.rate?, invoice.currency));
    let mut rates: Vec<_> = told.filter_map(in_words).collect();
    rates.sort();
    rates.dedup();
    (!rates.is_empty()).then(|| rates.join(", "))
}

/// The ways that there are, but for the second one to Lightning, the cheapest first.
fn named(invoice: &Model) -> Vec<Method> {
    let mut methods = invoice.methods();
    if methods.iter().any(|method| method.network == "Lightning") {
        methods.retain(|method| method.network != "Lightning (LNURL)");
    }
    methods.sort_by_key(|method| !is_lightning(method));
    methods
}

/// What the QR code of a way carries; of the first way where none is named.
#[must_use]
pub fn scanned(invoice: &Model, way: &str) -> Option<String> {
    let methods = invoice.methods();
    let method = methods.iter().find(|method| method.id == way || way.is_empty());
    match method {
        // Capitals mean the same there and make a coarser code, which is easier to scan.
        Some(method) if is_lightning(method) => Some(link(method).to_ascii_uppercase()),
        Some(method) => Some(link(method)),
        None => invoice.checkout_url.clone().filter(|_| way.is_empty()),
    }
}

fn view(method: Method, invoice: &Model, page: &str) -> MethodView {
    let way: String = byte_serialize(method.id.as_bytes()).collect();
    let lightning = is_lightning(&method);
    MethodView {
        title: if lightning || method.network == method.currency {
            method.network.clone()
        } else {
            format!("{} network", method.network)
        },
        hint: if lightning {
            "There at once, with next to no fee"
        } else {
            "Takes minutes to an hour, plus the network's fee"
        },
        amount: method.due,
        address_name: if lightning { "Lightning invoice".into() } else { format!("{} address", method.network) },
        wallet_url: method.payment_link.clone().filter(|url| is_for_wallets(url)).unwrap_or_default(),
        qr_url: format!("{page}/qr?way={way}&v={}", invoice.version),
        id: method.id,
        network: method.network,
        currency: method.currency,
        address: method.destination,
    }
}

fn is_lightning(method: &Method) -> bool {
    method.network.starts_with("Lightning")
}

fn link(method: &Method) -> String {
    method.payment_link.clone().unwrap_or_else(|| method.destination.clone())
}

/// A processor's word never becomes a link that runs or leaves.
fn is_for_wallets(url: &str) -> bool {
    ["bitcoin:", "lightning:", "litecoin:", "monero:", "ethereum:"].iter().any(|scheme| url.starts_with(scheme))
}
