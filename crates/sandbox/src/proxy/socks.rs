//! SOCKS5 (RFC 1928) with name and password (RFC 1929).

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional},
    net::TcpStream,
};

use super::{Outgoing, ProxyFault, Shared, hang};
use crate::host::lock;

const SOCKS: u8 = 5;
const NO_AUTH: u8 = 0;
const PASSWORD: u8 = 2;
const NOTHING_SUITS: u8 = 0xff;
const CONNECT: u8 = 1;

pub(super) async fn serve(mut client: TcpStream, shared: &Shared) -> io::Result<()> {
    let fault = *lock(&shared.fault);
    match fault {
        Some(ProxyFault::Hang) => return hang(client).await,
        Some(ProxyFault::Drop) => return Ok(()),
        Some(ProxyFault::Refuse407 | ProxyFault::Refuse401 | ProxyFault::Html502) | None => {}
    }
    let refused = matches!(fault, Some(ProxyFault::Refuse407 | ProxyFault::Refuse401));
    if !greet(&mut client, shared, refused).await? {
        return Ok(());
    }

    let [version, command, _, kind] = take::<4>(&mut client).await?;
    let target = match kind {
        1 => SocketAddr::from((IpAddr::from(Ipv4Addr::from(take::<4>(&mut client).await?)), port(&mut client).await?))
            .to_string(),
        4 => SocketAddr::from((IpAddr::from(Ipv6Addr::from(take::<16>(&mut client).await?)), port(&mut client).await?))
            .to_string(),
        3 => {
            let name = text(&mut client).await?;
            format!("{name}:{}", port(&mut client).await?)
        }
        _ => return answer(&mut client, 8).await,
    };
    if version != SOCKS || command != CONNECT {
        return answer(&mut client, 7).await;
    }
    if fault == Some(ProxyFault::Html502) {
        return answer(&mut client, 1).await;
    }
    let Ok(mut out) = Outgoing::open(&target).await else {
        return answer(&mut client, 5).await;
    };
    shared.let_through();
    answer(&mut client, 0).await?;
    copy_bidirectional(&mut client, &mut out.stream).await?;
    Ok(())
}

/// Agrees on a method and checks the password; says whether to go on.
async fn greet(client: &mut TcpStream, shared: &Shared, refused: bool) -> io::Result<bool> {
    let [version, count] = take::<2>(client).await?;
    let mut methods = vec![0; count.into()];
    client.read_exact(&mut methods).await?;
    let wanted = if shared.auth.is_some() || (refused && methods.contains(&PASSWORD)) { PASSWORD } else { NO_AUTH };
    if version != SOCKS || !methods.contains(&wanted) || (refused && wanted == NO_AUTH) {
        client.write_all(&[SOCKS, NOTHING_SUITS]).await?;
        return Ok(false);
    }
    client.write_all(&[SOCKS, wanted]).await?;
    if wanted == NO_AUTH {
        return Ok(true);
    }
    let [_] = take::<1>(client).await?;
    let given = (text(client).await?, text(client).await?);
    let right = !refused && shared.auth.as_ref() == Some(&given);
    client.write_all(&[1, u8::from(!right)]).await?;
    Ok(right)
}

async fn answer(client: &mut TcpStream, reply: u8) -> io::Result<()> {
    client.write_all(&[SOCKS, reply, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

async fn take<const N: usize>(client: &mut TcpStream) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    client.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn port(client: &mut TcpStream) -> io::Result<u16> {
    take::<2>(client).await.map(u16::from_be_bytes)
}

async fn text(client: &mut TcpStream) -> io::Result<String> {
    let [length] = take::<1>(client).await?;
    let mut bytes = vec![0; length.into()];
    client.read_exact(&mut bytes).await?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}
