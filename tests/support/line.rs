//! A line between two programs that can be cut, or go dead without anybody being told.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpListener, TcpSocket, TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::{JoinHandle, JoinSet},
};

/// How a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    Fine,
    /// Open connections end and new ones are refused, as when a program has died.
    Cut,
    /// Connections are taken and stay open, and nothing comes through, as when a machine has.
    Dead,
}

/// Passes everything on to one address, as long as it is fine. Ends with the test.
#[derive(Debug)]
pub struct Line {
    address: SocketAddr,
    state: watch::Sender<State>,
    work: JoinHandle<()>,
    /// Keeps the port while the line is cut.
    _port: TcpSocket,
}

impl Line {
    /// To this port of this machine.
    pub fn to(port: u16) -> Self {
        let kept = socket(SocketAddr::from(([127, 0, 0, 1], 0)));
        let address = kept.local_addr().unwrap();
        let (state, states) = watch::channel(State::Fine);
        let target = SocketAddr::from(([127, 0, 0, 1], port));
        let work = tokio::spawn(serve(address, target, states));
        Self { address, state, work, _port: kept }
    }

    pub const fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn is(&self, state: State) {
        self.state.send_replace(state);
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.work.abort();
    }
}

fn socket(address: SocketAddr) -> TcpSocket {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_reuseaddr(true).unwrap();
    socket.bind(address).unwrap();
    socket
}

async fn serve(address: SocketAddr, target: SocketAddr, mut states: watch::Receiver<State>) {
    loop {
        states.wait_for(|state| *state != State::Cut).await.unwrap();
        let listener: TcpListener = socket(address).listen(128).unwrap();
        let mut open = JoinSet::new();
        let mut cut = states.clone();
        loop {
            tokio::select! {
                _ = cut.wait_for(|state| *state == State::Cut) => break,
                taken = listener.accept() => {
                    let (from, _) = taken.unwrap();
                    open.spawn(carry(from, target, states.clone()));
                }
                Some(_) = open.join_next() => {}
            }
        }
        // Whoever talked through it finds the connection gone.
        open.shutdown().await;
    }
}

async fn carry(from: TcpStream, target: SocketAddr, mut states: watch::Receiver<State>) {
    // A dead line takes connections, and only then is dead.
    if states.wait_for(|state| *state == State::Fine).await.is_err() {
        return;
    }
    let Ok(to) = TcpStream::connect(target).await else { return };
    let _ = (from.set_nodelay(true), to.set_nodelay(true));
    let ((here, back), (there, forth)) = (from.into_split(), to.into_split());
    tokio::select! {
        () = pass(here, forth, states.clone()) => {}
        () = pass(there, back, states) => {}
    }
}

async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut states: watch::Receiver<State>) {
    let mut bytes = vec![0; 64 * 1024];
    while let Ok(count @ 1..) = from.read(&mut bytes).await {
        if states.wait_for(|state| *state == State::Fine).await.is_err() || to.write_all(&bytes[..count]).await.is_err()
        {
            return;
        }
    }
}
