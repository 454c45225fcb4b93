//! Connections that the server can cut at any moment, so that an answer gets lost.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};

use axum::extract::connect_info::Connected;
use axum::serve::{IncomingStream, Listener};
use futures::task::AtomicWaker;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};

/// Cuts one connection.
#[derive(Debug, Clone)]
pub(crate) struct Cutter(Arc<Cut>);

#[derive(Debug, Default)]
struct Cut {
    done: AtomicBool,
    reader: AtomicWaker,
}

impl Cut {
    fn cut(&self) {
        self.done.store(true, Ordering::Release);
        self.reader.wake();
    }

    fn check(&self) -> io::Result<()> {
        if self.done.load(Ordering::Acquire) {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        Ok(())
    }
}

impl Cutter {
    pub(crate) fn cut(&self) {
        self.0.cut();
    }
}

impl Connected<IncomingStream<'_, LinkListener>> for Cutter {
    fn connect_info(stream: IncomingStream<'_, LinkListener>) -> Self {
        Self(Arc::clone(&stream.io().cut))
    }
}

/// All connections that are open.
#[derive(Debug, Clone, Default)]
pub(crate) struct Links(Arc<Mutex<Vec<Weak<Cut>>>>);

impl Links {
    pub(crate) fn cut_all(&self) {
        let cuts = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        for cut in cuts.iter().filter_map(Weak::upgrade) {
            cut.cut();
        }
    }

    fn add(&self, cut: &Arc<Cut>) {
        let mut cuts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        cuts.retain(|other| other.strong_count() > 0);
        cuts.push(Arc::downgrade(cut));
    }
}

/// Accepts connections that can be cut.
#[derive(Debug)]
pub(crate) struct LinkListener {
    pub(crate) tcp: TcpListener,
    pub(crate) links: Links,
}

impl Listener for LinkListener {
    type Io = Link;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Link, SocketAddr) {
        let (stream, address) = Listener::accept(&mut self.tcp).await;
        let cut = Arc::new(Cut::default());
        self.links.add(&cut);
        (Link { stream, cut }, address)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.tcp.local_addr()
    }
}

/// One connection.
#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    cut: Arc<Cut>,
}

impl AsyncRead for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.cut.reader.register(context.waker());
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_write_vectored(context, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.cut.check()?;
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
