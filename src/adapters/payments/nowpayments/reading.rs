use super::literal::Literal;
use crate::adapters::payments::{Decimal, Payment, Price, Status, Truth, http::is_id};

/// One payment as the processor tells it.
pub(super) struct Told {
    pub id: String,
    pub invoice: Option<String>,
    order_id: Option<String>,
    parent: Option<String>,
    /// Redeposits to its address.
    pub children: Vec<String>,
    price: Price,
    status: Status,
    /// A person at the processor's set the status.
    marked: bool,
    /// Worth of what came in, in minor units of the price, rounded down.
    minor: i64,
}

impl Told {
    /// # Errors
    /// What cannot be understood.
    pub(super) fn read(value: &Literal) -> Result<Self, &'static str> {
        let id = |name| value.text(name).filter(|it| is_id(it)).map(str::to_owned);
        let word = value.text("payment_status").ok_or("a payment without a status")?;
        let status = match word {
            "waiting" => Status::New,
            "confirming" => Status::Pending,
            "confirmed" | "sending" => Status::Confirming,
            "finished" => Status::Paid,
            "partially_paid" => Status::Underpaid,
            "refunded" => Status::Refunded,
            "expired" => Status::Expired,
            "failed" | "cancelled" => Status::Invalid,
            _ => return Err("a payment with a status that we do not know"),
        };
        let currency = value.text("price_currency").ok_or("a payment without a currency")?;
        let price = value.text("price_amount").and_then(|it| Price::read(it, currency));
        let price = price.ok_or("a payment without a price")?;
        Ok(Self {
            id: id("payment_id").ok_or("a payment without an id")?,
            invoice: id("invoice_id"),
            order_id: value.text("order_id").map(str::to_owned),
            parent: id("parent_payment_id"),
            children: value.list("payment_extra_ids").iter().filter_map(Literal::as_text).map(str::to_owned).collect(),
            minor: measured(value, &price).ok_or("a payment with amounts that cannot be read")?,
            price,
            status,
            marked: word == "cancelled",
        })
    }

    fn payment(&self) -> Payment {
        Payment { id: self.id.clone(), status: self.status, minor: self.minor, parent: self.parent.clone() }
    }
}

/// What came in is worth its share of the price: `actually_paid_at_fiat` is often 0, and a redeposit's price is not its
/// worth. `None` for amounts that cannot be read.
fn measured(value: &Literal, price: &Price) -> Option<i64> {
    let amount = |name| value.text(name).map_or(Some(Decimal::ZERO), Decimal::parse);
    let (paid, asked) = (amount("actually_paid")?, amount("pay_amount")?);
    if paid.is_zero() || asked.is_zero() {
        return Some(0);
    }
    paid.share_of(price.minor, asked)
}

/// All payments of one invoice in our words. Redeposits are told, never counted.
///
/// # Errors
/// What contradicts itself.
pub(super) fn truth(reference: &str, told: &[Told]) -> Result<Truth, &'static str> {
    let sum = |of: &dyn Fn(&Told) -> bool| {
        told.iter().filter(|it| of(it)).try_fold(0_i64, |sum, it| sum.checked_add(it.minor)).ok_or("too much money")
    };
    let first = |it: &Told| it.parent.is_none();
    let confirmed =
        |it: &Told| matches!(it.status, Status::Paid | Status::Underpaid | Status::Confirming | Status::Refunded);
    let unconfirmed = |it: &Told| matches!(it.status, Status::New | Status::Pending);
    let paid_minor = sum(&|it| first(it) && confirmed(it) && it.status != Status::Refunded)?;
    let seen_minor = sum(&|it| first(it) && (confirmed(it) || unconfirmed(it)))?.max(paid_minor);
    let redeposited_minor = sum(&|it| !first(it) && matches!(it.status, Status::Paid | Status::Underpaid))?;
    let named = told.iter().find(|it| first(it)).or(told.first());
    let orders = told.iter().filter_map(|it| it.order_id.as_ref());
    if orders.clone().any(|it| Some(it) != orders.clone().next()) {
        return Err("one invoice with payments for several orders");
    }
    // A redeposit has a price of its own.
    if told.iter().filter(|it| first(it)).any(|it| named.is_some_and(|one| it.price != one.price)) {
        return Err("one invoice with payments at several prices");
    }
    // One payment that went through is enough; one that lives speaks before those that ended.
    let order = [
        Status::Paid,
        Status::Refunded,
        Status::Confirming,
        Status::Pending,
        Status::Underpaid,
        Status::New,
        Status::Expired,
        Status::Invalid,
    ];
    let status = order.into_iter().find(|status| told.iter().any(|it| first(it) && it.status == *status));
    let price = named.filter(|it| first(it)).map(|it| it.price.clone());
    Ok(Truth {
        reference: reference.to_owned(),
        order_id: orders.clone().next().cloned(),
        shop_matches: true,
        paid_minor,
        seen_minor,
        redeposited_minor,
        status: status.unwrap_or(Status::New),
        late: false,
        overpaid: price.as_ref().is_some_and(|it| paid_minor > it.minor),
        marked: told.iter().any(|it| it.marked) && status == Some(Status::Invalid),
        price,
        payments: told.iter().map(Told::payment).collect(),
        unlisted: None,
    })
}
