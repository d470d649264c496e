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
    /// `0.00010009 BTC`, exactly as the processor wants it.
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
    let told = invoice.methods();
    let has_lightning = told.iter().any(|method| method.network == "Lightning");
    let mut methods: Vec<_> =
        told.into_iter().filter(|method| !(has_lightning && method.network == "Lightning (LNURL)")).collect();
    methods.sort_by_key(|method| !is_lightning(method));
    methods.into_iter().map(|method| view(method, invoice, page)).collect()
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
        amount: format!("{} {}", method.due, method.currency),
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
